"""What is accepted is run: handlers that take anything, some of which fail."""

import asyncio

from taskwire import Attempt, Payload, TaskFailure, handler

TYPES = ("abuse.echo", "abuse.text", "abuse.json", "abuse.fail", "abuse.nap")


@handler("abuse.echo")
async def echo(given: Payload | None) -> Payload | None:
    """Return the input as it is."""
    return given


@handler("abuse.text")
async def text(given: str) -> str:
    """Return a text, and fail for good where the input is none."""
    return given[:100]


@handler("abuse.json")
def json(given: dict[str, str | int | None]) -> dict[str, str | int | None]:
    """Return an object, and fail for good where the input is none."""
    return given


@handler("abuse.fail")
async def fail(attempt: Attempt) -> None:
    """Fail with what the caller has sent, as handlers do that quote their input."""
    quoted = attempt.input.data.decode(errors="replace") if attempt.input else ""
    raise TaskFailure("ABUSED", quoted[:2_000], metadata={"quoted": quoted[:300]}, retryable=attempt.attempt < 2)


@handler("abuse.nap")
async def nap(attempt: Attempt) -> str:
    """Take a while, so that there is something to cancel."""
    attempt.report(0.5, attempt.type)
    await asyncio.sleep(0.05)
    return attempt.task_id
