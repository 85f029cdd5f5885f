"""What becomes of rings when the tasks that they name were claimed: here, by others, or by nobody yet."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

from taskwire_processor.claimant import Claimant
from taskwire_shared.bus.ear import Ring
from taskwire_shared.domain.errors import BackendUnavailable

ANSWER_SECONDS = 2.0
"""For the question what still waits. Without an answer the rings are acknowledged: the slow claim finds the rest."""


async def acknowledge(claimant: Claimant, rings: Sequence[Ring], left: Sequence[UUID]) -> None:
    """Acknowledge `rings`, but pass on those that name a task of `left` that still waits.

    What was left may have been claimed by others, or cancelled. What still waits is of a type that this processor
    lacks, wants a runner that is not free here, or was locked in vain by somebody for a moment.
    """
    waiting = await _still_waiting(claimant, left) if left else frozenset()
    for ring in rings:
        # Where nothing was left, no id need be looked for.
        if not waiting or waiting.isdisjoint(ring.ids):
            ring.ack()
        else:
            ring.pass_on()


async def _still_waiting(claimant: Claimant, ids: Sequence[UUID]) -> frozenset[UUID]:
    try:
        async with asyncio.timeout(ANSWER_SECONDS):
            return await claimant.still_waiting(ids)
    except (BackendUnavailable, TimeoutError):
        return frozenset()
