"""Doing something again and again, whatever happens to it."""

import asyncio
import random
from collections.abc import Awaitable, Callable

from taskwire_shared.domain.errors import BackendUnavailable
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

RETRY_SECONDS_MIN = 0.2
RETRY_SECONDS_MAX = 5.0
ROUND_PART = 0.02
"""Of the time should go into one kind of round at most."""
LONG_ROUND_SECONDS = 0.1
"""A shorter one is not spaced: on a busy machine any statement takes some hundredths of a second."""
SPACED_SECONDS_MAX = 10.0
"""Whatever a round takes: somebody waits for what it finds."""

log = logs.get(__name__)


async def repeat(round_: Callable[[], Awaitable[float]], failed: Event) -> None:
    """Call `round_` until cancelled; it returns the pause until the next call, in seconds.

    After a failure, which is logged as `failed`, the pause doubles from `RETRY_SECONDS_MIN` to `RETRY_SECONDS_MAX`.
    """
    retry = RETRY_SECONDS_MIN
    while True:
        try:
            pause = await round_()
            retry = RETRY_SECONDS_MIN
        except BackendUnavailable as error:
            log.warning(failed, reason=repr(error.__cause__))
            pause, retry = retry, min(RETRY_SECONDS_MAX, retry * 2)
        except Exception:
            # A fault of ours in one round must not end upkeep for good.
            log.exception(failed)
            pause, retry = retry, min(RETRY_SECONDS_MAX, retry * 2)
        await asyncio.sleep(pause)


class Spacing:
    """Keeps rounds that always take long apart.

    What has ended stays in the indexes for as long as any transaction is open that began before, of whomever. Each look
    for the little that is left steps over all of it, a million entries in a second, and must not eat up the server.
    """

    def __init__(self) -> None:
        self._took_before = 0.0

    def pause(self, usual: float, took: float) -> float:
        """Return `usual`, or longer where this round and the one before took long: one may have met a hiccup.

        A round that has found something has not taken its time for nothing: give 0 for it.
        """
        lasting = min(took, self._took_before)
        self._took_before = took
        if lasting < LONG_ROUND_SECONDS:
            return usual
        return max(usual, min(lasting / ROUND_PART, SPACED_SECONDS_MAX))


def jittered(seconds: float) -> float:
    """Return between half of and all of `seconds`, so that many processes spread."""
    return random.uniform(seconds / 2, seconds)  # noqa: S311 - no secret
