"""How seldom control and runners look for garbage: they make few cycles, and many objects that live for a batch."""

import gc

CONTROL_OBJECTS_MAX = 20_000
"""Containers made between two looks. With Python's 700 the looks cost control a seventh of its time at full speed."""
RUNNER_OBJECTS_MAX = 5_000
"""The same where handlers may leave cycles with payloads in them. The looks cost a short attempt 2.6 of 9 us before."""
YOUNG_LOOKS_MAX = 20


def spare_the_collector(new_objects_max: int) -> None:
    """Leave what a started process is made of out of every later look, and look more seldom. For whole processes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(new_objects_max, YOUNG_LOOKS_MAX, YOUNG_LOOKS_MAX)
