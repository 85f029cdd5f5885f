"""Passes requests to cancel on to the handlers that run here."""

from collections.abc import Sequence

from taskwire_processor.attempts import Attempts
from taskwire_processor.held import Held, StopReason
from taskwire_processor.stopper import Stopper
from taskwire_shared.domain.outcome import Fence
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

EARLY_NOTICES_MAX = 1000
"""An answer is overtaken by milliseconds; the renewal of the lease knows of all others."""

log = logs.get(__name__)


class Canceller:
    """Hears of cancel requests twice: by a notice at once, and for certain when the lease is renewed."""

    def __init__(self, attempts: Attempts, stopper: Stopper) -> None:
        self._attempts = attempts
        self._stopper = stopper
        self._early: dict[Fence, None] = {}
        """Notices of attempts that are not in hand, the newest last."""

    def catch_up(self, taken: Sequence[Held]) -> None:
        """Stop those of the attempts just taken in hand whose notice overtook the answer to their claim."""
        if not self._early:
            return
        for held in taken:
            if held.fence in self._early:
                self.cancel(held.fence)

    def cancel(self, fence: Fence) -> None:
        """Stop the attempt that `fence` names, if it is still in hand. Harmless to repeat."""
        held = self._attempts.find(fence)
        if held is None:
            self._early[fence] = None
            if len(self._early) > EARLY_NOTICES_MAX:
                del self._early[next(iter(self._early))]
        elif held.stop is not StopReason.CANCELLED:
            log.info(Event.ATTEMPT_CANCELLED, task_id=str(fence.task_id), attempt=fence.attempt)
            self._stopper.stop(held, StopReason.CANCELLED)
