"""How seldom control looks for garbage: it makes few cycles, and many objects that live for a batch."""

import gc

NEW_OBJECTS_MAX = 20_000
"""Containers made between two looks. With Python's 700 the looks cost control a seventh of its time at full speed."""
YOUNG_LOOKS_MAX = 20


def spare_the_collector() -> None:
    """Leave what a started process is made of out of every later look, and look more seldom. For whole processes."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(NEW_OBJECTS_MAX, YOUNG_LOOKS_MAX, YOUNG_LOOKS_MAX)
