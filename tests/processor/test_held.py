"""An attempt in hand."""

from taskwire_shared.domain.outcome import Fence


async def test_fence_names_task_and_attempt(world):
    held = world.hold(attempt=3)

    assert held.fence == Fence(held.task.id, 3)
    assert (held.runner, held.stop, held.is_over) == (None, None, False)
