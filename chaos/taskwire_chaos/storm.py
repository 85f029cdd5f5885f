"""Faults in shifting mixes, with quiet periods between them."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from random import Random

from msgspec import Struct

from taskwire_chaos.crowd import Crowd
from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.journal import Phase, Remark
from taskwire_chaos.site import Site

MAKE_UP_PAUSE_SECONDS = 1.0
LAGGING_MAX = 3
"""Of the kinds of a mix."""


class Weather(Struct, frozen=True, kw_only=True):
    """How it storms."""

    seconds: float
    """In all."""
    period: tuple[float, float]
    """How long a mix lasts, from and to."""
    quiet: tuple[float, float]
    """How long a quiet period lasts."""
    pause: tuple[float, float] = (0.5, 3.0)
    """Between two strikes of the same fault."""
    kinds: tuple[int, int] = (1, 3)
    """How many kinds of faults are at work at the same time."""
    weights: Mapping[str, int] = {}
    """Of faults by name, instead of their own."""
    quiet_part: float = 0.25
    """Which part of the periods is quiet."""
    calm_every_seconds: float = 0.0
    """How often a quiet period is long enough to see that nothing is overdue; 0 makes none of them longer."""
    calm_seconds: float = 0.0
    """How long it is then."""


class Storm:
    """Chooses by its random numbers what strikes when, and, where something must be reached, by what lags behind."""

    def __init__(
        self,
        site: Site,
        crowd: Crowd,
        faults: Sequence[type[Fault]],
        random: Random,
        *,
        least: Mapping[str, int] | None = None,
    ) -> None:
        """Prepare a storm. Faults that lag behind what they have to reach at its end, by `least`, go before others."""
        self._site = site
        self._least = least or {}
        self._crowd = crowd
        self._faults = faults
        self._random = random
        for kind in faults:
            if kind.lacks:
                site.journal.write(Remark(text=f"{kind.name}: left out for want of {kind.lacks}"))

    async def rage(self, weather: Weather, look: Callable[[float], Awaitable[None]]) -> None:
        """Strike for `weather.seconds`. `look` is called at the end of each quiet period with its length."""
        now = asyncio.get_running_loop().time
        until, calmed = now() + weather.seconds, now()
        while (left := until - now()) > 0:
            if 0 < weather.calm_every_seconds < now() - calmed:
                await self._be_quiet(weather.calm_seconds, look)
                calmed = now()
            elif self._random.random() < weather.quiet_part:
                await self._be_quiet(min(left, self._random.uniform(*weather.quiet)), look)
            else:
                await self._mix(weather, left, part=1 - left / weather.seconds)

    async def make_up(self, seconds: float) -> None:
        """Strike, for at most `seconds`, with those faults alone that have not struck as often as they should."""
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(seconds, over.set)
        async with asyncio.TaskGroup() as group:
            for kind in self._faults:
                random = Random(self._random.random())  # noqa: S311
                group.create_task(
                    self._make_up(kind(self._site, self._crowd, random), self._least.get(kind.name, 0), over)
                )

    async def _make_up(self, fault: Fault, least: int, over: asyncio.Event) -> None:
        while self._site.strikes[fault.name] < least and not over.is_set():
            await self._strike(fault)
            await asyncio.sleep(MAKE_UP_PAUSE_SECONDS)

    async def _strike(self, fault: Fault) -> None:
        """Strike. What goes wrong with a fault itself is said in the report and mended by the next heal."""
        try:
            await fault.strike()
        except Exception as error:  # noqa: BLE001 - An hour is not thrown away for one strike.
            self._site.journal.write(Remark(text=f"a strike of {fault.name} failed: {error!r}"))

    async def _be_quiet(self, seconds: float, look: Callable[[float], Awaitable[None]]) -> None:
        self._site.journal.write(Phase(name="quiet"))
        await self._site.heal()
        await asyncio.sleep(seconds)
        await look(seconds)

    async def _mix(self, weather: Weather, left: float, part: float) -> None:
        kinds = self._choose(weather, part)
        self._site.journal.write(Phase(name="mix: " + ", ".join(kind.name for kind in kinds)))
        over = asyncio.Event()
        asyncio.get_running_loop().call_later(min(left, self._random.uniform(*weather.period)), over.set)
        async with asyncio.TaskGroup() as group:
            for kind in kinds:
                # Of its own, so that what one fault chooses does not hang on how long another takes.
                random = Random(self._random.random())  # noqa: S311
                group.create_task(self._repeat(kind(self._site, self._crowd, random), weather, over))

    def _choose(self, weather: Weather, part: float) -> list[type[Fault]]:
        count = min(len(self._faults), self._random.randint(*weather.kinds))
        chosen = self._lagging(part)[: min(count, LAGGING_MAX)]
        kinds = [kind for kind in self._faults if kind not in chosen]
        while len(chosen) < count:
            [kind] = self._random.choices(kinds, [weather.weights.get(one.name, one.weight) for one in kinds])
            kinds.remove(kind)
            chosen.append(kind)
        return chosen

    def _lagging(self, part: float) -> list[type[Fault]]:
        """Return the faults that have struck less than the part of the storm that is over asks for, the worst first."""
        wanted = {kind: self._least.get(kind.name, 0) * part for kind in self._faults}
        behind = {kind: self._site.strikes[kind.name] / want for kind, want in wanted.items() if want > 0}
        return sorted((kind for kind, reached in behind.items() if reached < 1), key=lambda kind: behind[kind])

    async def _repeat(self, fault: Fault, weather: Weather, over: asyncio.Event) -> None:
        while not over.is_set():
            await self._strike(fault)
            try:
                async with asyncio.timeout(fault.random.uniform(*weather.pause)):
                    await over.wait()
            except TimeoutError:
                pass
