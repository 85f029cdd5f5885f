"""Passes requests to cancel on to the handlers that run here."""

from taskwire_processor.attempts import Attempts
from taskwire_processor.held import StopReason
from taskwire_processor.stopper import Stopper
from taskwire_shared.domain.outcome import Fence
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event

log = logs.get(__name__)


class Canceller:
    """Hears of cancel requests twice: by a notice at once, and for certain when the lease is renewed."""

    def __init__(self, attempts: Attempts, stopper: Stopper) -> None:
        self._attempts = attempts
        self._stopper = stopper

    def cancel(self, fence: Fence) -> None:
        """Stop the attempt that `fence` names, if it is still in hand. Harmless to repeat."""
        held = self._attempts.find(fence)
        if held is not None and held.stop is not StopReason.CANCELLED:
            log.info(Event.ATTEMPT_CANCELLED, task_id=str(fence.task_id), attempt=fence.attempt)
            self._stopper.stop(held, StopReason.CANCELLED)
