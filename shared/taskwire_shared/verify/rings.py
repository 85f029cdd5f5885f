"""Judges what waits on the broker. Rings are hints: what is wrong with them costs seconds, and never a task."""

from collections.abc import Iterable, Mapping

from taskwire_shared.bus.ring_census import Census, Line
from taskwire_shared.bus.ring_stream import RING_SECONDS_MAX
from taskwire_shared.bus.rings import PRIORITY_TOKENS
from taskwire_shared.domain.audit import Check
from taskwire_shared.store.audit_suspects import Suspect

SLACK_SECONDS = 10
"""How long after its time the broker may still have a ring."""

UNREACHABLE = Suspect(Check.RINGS, "broker", "", "it does not answer; tasks start, only slower", is_warning=True)
_NO_STREAM = Suspect(Check.RINGS, "stream", "", "there is none; tasks start, only slower", is_warning=True)


def suspect_rings(census: Census | None, served: Mapping[str, bool]) -> list[Suspect]:
    """Return what is wrong if it lasts. `served` maps the queues with processors to whether one of these is idle."""
    if census is None:
        return [_NO_STREAM] if served else []
    suspects = [_judge_age(census), *[_judge_line(line, served) for line in census.lines], *_missing(census, served)]
    return [suspect for suspect in suspects if suspect is not None]


def _judge_age(census: Census) -> Suspect | None:
    if census.age_seconds_max != RING_SECONDS_MAX:
        kept = f"{census.age_seconds_max:.0f} s" if census.age_seconds_max else "for ever"
        return Suspect(Check.RINGS, "stream", "", f"rings are kept {kept} and not {RING_SECONDS_MAX} s")
    if census.oldest_seconds is not None and census.oldest_seconds > RING_SECONDS_MAX + SLACK_SECONDS:
        return Suspect(Check.RINGS, "stream", "", f"the oldest ring is {census.oldest_seconds:.0f} s old")
    return None


def _judge_line(line: Line, served: Mapping[str, bool]) -> Suspect | None:
    mark = f"delivered {line.delivered}"
    if served.get(line.queue) and line.waiting:
        detail = f"{line.waiting} rings wait, and a processor is idle"
        return Suspect(Check.RINGS, line.consumer, mark, detail)
    if line.queue in served and line.handed_out >= line.handed_out_max > 0:
        detail = f"{line.handed_out} rings are handed out and not acknowledged: no more will be"
        return Suspect(Check.RINGS, line.consumer, mark, detail)
    return None


def _missing(census: Census, served: Mapping[str, bool]) -> Iterable[Suspect]:
    there = {line.consumer for line in census.lines}
    for queue in sorted(served):
        for token in PRIORITY_TOKENS.values():
            if (consumer := f"{queue}-{token}") not in there:
                yield Suspect(Check.RINGS, consumer, "", "nobody listens to these rings", is_warning=True)
