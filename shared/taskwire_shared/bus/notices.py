"""Cancel notices: a word to the processor that runs a task which is no longer wanted."""

from collections.abc import Callable
from uuid import UUID

from taskwire_shared.bus.connection import Bus, Listener
from taskwire_shared.domain.outcome import Fence

_ATTEMPT_BYTES = 4
_NOTICE_BYTES = 16 + _ATTEMPT_BYTES


class CancelNotices:
    """Carries cancel requests to processors. One that is lost is made good by the next renewal of the lease."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    def send(self, processor: UUID, fence: Fence) -> None:
        """Tell `processor` that the attempt it holds is to be stopped."""
        notice = fence.task_id.bytes + fence.attempt.to_bytes(_ATTEMPT_BYTES)
        self._bus.publish(self._subject(processor), notice)

    def listen(self, processor: UUID, hear: Callable[[Fence], None]) -> Listener:
        """Call `hear` with every attempt that `processor` is to stop, until the listener is closed."""

        def hear_notice(notice: bytes) -> None:
            if len(notice) == _NOTICE_BYTES:
                hear(Fence(UUID(bytes=notice[:16]), int.from_bytes(notice[16:])))

        return self._bus.listen(self._subject(processor), lambda message: hear_notice(message.data))

    def _subject(self, processor: UUID) -> str:
        return f"{self._bus.prefix}.cancel.{processor.hex}"
