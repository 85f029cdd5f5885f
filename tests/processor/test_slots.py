"""Counting slots."""

from taskwire_processor.slots import Slots


def test_slots_come_back_with_a_word() -> None:
    slots = Slots(3)
    words: list[int] = []
    slots.on_freed = lambda: words.append(slots.free)
    slots.take(2)
    assert slots.free == 1
    slots.give(0)
    slots.give(2)

    assert words == [3]
