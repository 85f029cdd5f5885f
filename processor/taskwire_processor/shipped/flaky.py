"""`flaky`: fails a number of times, then succeeds."""

import msgspec

from taskwire import Attempt, TaskFailure, handler


class Failures(msgspec.Struct, frozen=True):
    """How often to fail."""

    failures: int = 1


@handler("flaky")
async def flaky(wish: Failures, attempt: Attempt) -> str:
    """Fail the first attempts, as many as `{"failures": 2}` says, then say which attempt succeeded."""
    if attempt.attempt_count <= wish.failures:
        raise TaskFailure("FLAKY", f"attempt {attempt.attempt_count} of {wish.failures} that fail")
    return f"attempt {attempt.attempt_count} succeeded"
