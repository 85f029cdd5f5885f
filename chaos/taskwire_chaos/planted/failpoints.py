"""Places at which a service dies or falls ill, each planted by replacing one function."""

import os
import signal
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from taskwire_chaos.planted.replacing import replace

if TYPE_CHECKING:
    from taskwire_shared.bus.ear import Ring

_FOR_EVER_SECONDS = 1_000_000

Async = Callable[..., Awaitable[Any]]


class _Fuse:
    """Kills this process at the Nth touch."""

    def __init__(self, count: int) -> None:
        self._left = count

    def touch(self) -> None:
        self._left -= 1
        if self._left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


def _before(fuse: _Fuse) -> Callable[[Async], Async]:
    def make(function: Async) -> Async:
        async def replacement(*args: Any, **kwargs: Any) -> Any:
            fuse.touch()
            return await function(*args, **kwargs)

        return replacement

    return make


def _after(fuse: _Fuse) -> Callable[[Async], Async]:
    def make(function: Async) -> Async:
        async def replacement(*args: Any, **kwargs: Any) -> Any:
            result = await function(*args, **kwargs)
            if result:
                fuse.touch()
            return result

        return replacement

    return make


def _before_commit(count: int) -> None:
    from taskwire_shared.store.creations import Creations

    replace(Creations, "create_tasks", _before(_Fuse(count)))


def _after_commit(count: int) -> None:
    from taskwire_shared.store.creations import Creations

    replace(Creations, "create_tasks", _after(_Fuse(count)))


def _after_ring(count: int) -> None:
    from taskwire_gateway.creator import Creator

    fuse = _Fuse(count)

    def make(tell: Callable[..., None]) -> Callable[..., None]:
        def replacement(*args: Any) -> None:
            tell(*args)
            fuse.touch()

        return replacement

    replace(Creator, "_tell", make)


def _after_claim(count: int) -> None:
    from taskwire_shared.store import claims

    fuse = _Fuse(count)
    replace(claims, "claim_rung", _after(fuse))
    replace(claims, "claim_waiting", _after(fuse))


def _before_complete(count: int) -> None:
    from taskwire_shared.store import completions

    replace(completions, "succeed", _before(_Fuse(count)))


def _after_complete(count: int) -> None:
    from taskwire_shared.store import completions

    replace(completions, "succeed", _after(_Fuse(count)))


def _before_acknowledge(count: int) -> None:
    from taskwire_shared.bus.ear import Ring

    fuse = _Fuse(count)

    def make(acknowledge: Callable[["Ring"], None]) -> Callable[["Ring"], None]:
        def replacement(ring: "Ring") -> None:
            fuse.touch()
            acknowledge(ring)

        return replacement

    replace(Ring, "ack", make)


def _at_acknowledge(count: int, act: Callable[["Ring"], bool]) -> None:
    """Act once, from so many acknowledgements on. `act` returns False where it could not."""
    from taskwire_shared.bus.ear import Ring

    left = count

    def make(acknowledge: Callable[["Ring"], None]) -> Callable[["Ring"], None]:
        def replacement(ring: "Ring") -> None:
            nonlocal left
            acknowledge(ring)
            left -= 1
            if left == 0 and not act(ring):
                left = 1

        return replacement

    replace(Ring, "ack", make)


def _stuck(count: int) -> None:
    def act(_: "Ring") -> bool:
        time.sleep(_FOR_EVER_SECONDS)
        return True

    _at_acknowledge(count, act)


def _deaf(count: int) -> None:
    def act(ring: "Ring") -> bool:
        link: Any = ring._bus._link
        # Between two connections there is nothing to be deaf on.
        if link is None:
            return False
        link.client._reading_task.cancel()
        return True

    _at_acknowledge(count, act)


GATEWAY_FAILPOINTS = ("before_commit", "after_commit", "after_ring")
PROCESSOR_FAILPOINTS = ("after_claim", "before_complete", "after_complete", "before_acknowledge")
FAILPOINTS: dict[str, Callable[[int], None]] = {
    "before_commit": _before_commit,
    "after_commit": _after_commit,
    "after_ring": _after_ring,
    "after_claim": _after_claim,
    "before_complete": _before_complete,
    "after_complete": _after_complete,
    "before_acknowledge": _before_acknowledge,
    "stuck": _stuck,
    "deaf": _deaf,
}
