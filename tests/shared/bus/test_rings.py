from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from taskwire_shared.bus.rings import (
    RING_IDS_MAX,
    RING_IDS_MIN,
    RINGS_PER_SECOND,
    MalformedRingError,
    Ringer,
    pack,
    ring_subject,
    unpack,
)
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.ready import Ready
from taskwire_shared.domain.task import TaskPriority


class RecordingBus:
    prefix = "taskwire"

    def __init__(self):
        self.published = []

    def publish(self, subject, payload, reply=""):
        self.published.append((subject, payload))
        return True


def ready_tasks(count):
    return [Ready(new_id(), "mail", TaskPriority.NORMAL) for _ in range(count)]


@given(st.lists(st.uuids(), min_size=1, max_size=RING_IDS_MAX))
def test_a_ring_is_read_as_it_was_packed(ids):
    assert unpack(pack(ids)) == tuple(ids)


@pytest.mark.parametrize("message", [b"", b"x", b"x" * 17, b"x" * 16 * (RING_IDS_MAX + 1)])
def test_what_is_no_ring_is_refused(message):
    with pytest.raises(MalformedRingError):
        unpack(message)


@given(st.binary(max_size=2000))
def test_any_bytes_are_a_ring_or_malformed(message):
    try:
        ids = unpack(message)
    except MalformedRingError:
        return
    assert 1 <= len(ids) <= RING_IDS_MAX
    assert all(isinstance(identifier, UUID) for identifier in ids)


def test_tasks_of_a_queue_and_priority_share_rings():
    bus = RecordingBus()
    many = ready_tasks(RING_IDS_MIN + 1)
    urgent = Ready(new_id(), "mail", TaskPriority.HIGH)
    other = Ready(new_id(), "video", TaskPriority.NORMAL)

    Ringer(bus).ring([*many, urgent, other])

    heard = [(subject, unpack(message)) for subject, message in bus.published]
    ids = tuple(ready.id for ready in many)
    assert heard == [
        ("taskwire.ring.mail.normal", ids[:RING_IDS_MIN]),
        ("taskwire.ring.mail.normal", ids[RING_IDS_MIN:]),
        ("taskwire.ring.mail.high", (urgent.id,)),
        ("taskwire.ring.video.normal", (other.id,)),
    ]


@pytest.mark.parametrize(("per_second", "most"), [(1_000, 64), (10_000, 200), (30_000, 500)])
def test_rings_name_more_where_there_are_many_all_the_same(per_second, most):
    bus, batch = RecordingBus(), 500
    times = [number * batch / per_second for number in range(2 * per_second // batch)]
    ringer = Ringer(bus, lambda: times[0])
    while len(times) > 1:
        bus.published.clear()
        ringer.ring(ready_tasks(batch))
        times.pop(0)
    sizes = [len(unpack(message)) for _, message in bus.published]
    assert sum(sizes) == batch
    assert max(sizes) == pytest.approx(most, rel=0.2)
    assert per_second / max(sizes) >= min(RINGS_PER_SECOND, per_second / RING_IDS_MIN) * 0.8


def test_every_priority_has_a_subject():
    subjects = {ring_subject("taskwire", "mail", priority) for priority in TaskPriority}
    assert subjects == {"taskwire.ring.mail.low", "taskwire.ring.mail.normal", "taskwire.ring.mail.high"}
