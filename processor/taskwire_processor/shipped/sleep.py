"""`sleep`: waits, as work does that waits for a network."""

import asyncio
import json
import math

from taskwire import Attempt, handler

SECONDS = 3.0
"""Where the input does not say."""
SECONDS_MAX = 86_400.0
STEPS_PER_SECOND = 2
"""Progress reports."""


@handler("sleep")
async def sleep(attempt: Attempt) -> int:
    """Sleep for `{"seconds": 0.2}`, or 3 s for any other input, and return the length of the input in bytes."""
    seconds = _seconds(attempt)
    steps = max(1, math.ceil(seconds * STEPS_PER_SECOND))
    for step in range(steps):
        await asyncio.sleep(seconds / steps)
        attempt.report((step + 1) / steps, f"slept {seconds * (step + 1) / steps:.1f} of {seconds:g} s")
    return len(attempt.input.data) if attempt.input else 0


def _seconds(attempt: Attempt) -> float:
    data = attempt.input.data if attempt.input else b""
    try:
        wish = json.loads(data)
    except (ValueError, RecursionError):
        return SECONDS
    seconds: object = wish.get("seconds") if isinstance(wish, dict) else None
    if isinstance(seconds, int | float) and not isinstance(seconds, bool) and 0 <= seconds <= SECONDS_MAX:
        return float(seconds)
    return SECONDS
