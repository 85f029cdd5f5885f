"""What is to be reached, on two cores with everything on them, as the median of five runs."""

from collections.abc import Callable, Sequence
from enum import StrEnum

from msgspec import Struct

from taskwire_bench.results import Result


class Verdict(StrEnum):
    """Whether a target was reached."""

    MET = "met"
    MISSED = "MISSED"
    NOT_MEASURED = "NOT MEASURED"


class Target(Struct, frozen=True):
    """A bound on the median of one figure."""

    scenario: str
    figure: str
    title: str
    bound: float
    at_most: bool = False

    @property
    def text(self) -> str:
        """Return the bound for people."""
        return f"{'at most' if self.at_most else 'at least'} {self.bound:,.6g}"


class Judged(Struct, frozen=True):
    """A target and what became of it."""

    target: Target
    verdict: Verdict
    median: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    unit: str = ""
    note: str = ""


def _least(scenario: str, figure: str, title: str, bound: float) -> Target:
    return Target(scenario, figure, title, bound)


def _most(scenario: str, figure: str, title: str, bound: float) -> Target:
    return Target(scenario, figure, title, bound, at_most=True)


TARGETS: Sequence[Target] = (
    _least("throughput", "throughput", "throughput", 27_000),
    _least("throughput", "efficiency", "efficiency (throughput / limit of Postgres)", 0.8),
    _least("peers", "river.pair_minimum", "least ratio to River among the interleaved pairs", 1.0),
    _least("peers", "graphile.pair_minimum", "least ratio to graphile-worker among the interleaved pairs", 1.0),
    _least("peers", "pgqueuer.ratio", "ratio to PgQueuer", 1.3),
    _least("peers", "taskiq.ratio", "ratio to Taskiq on NATS", 9.0),
    _least("peers", "celery.ratio", "ratio to Celery", 30.0),
    _least("peers", "dramatiq.ratio", "ratio to Dramatiq", 1.0),
    _least("unary", "unary.64", "CreateTask one by one, 64 in flight", 3_500),
    _most("unary", "unary.64.cpu_ratio", "gateway CPU of a create / of an empty call", 1.5),
    _most("latency", "latency.500.reply.p50", "500/s: create reply, p50", 4),
    _most("latency", "latency.500.reply.p99", "500/s: create reply, p99", 15),
    _most("latency", "latency.500.start.p50", "500/s: create to handler start, p50", 5),
    _most("latency", "latency.500.start.p99", "500/s: create to handler start, p99", 20),
    _most("latency", "latency.500.event.p50", "500/s: commit to event at the watching client, p50", 8),
    _most("latency", "latency.500.event.p99", "500/s: commit to event at the watching client, p99", 30),
    _least("watchers", "watchers.10000.complete", "10,000 WatchTask streams: share that got every version", 1.0),
    _most("watchers", "watchers.10000.stream_kib", "10,000 WatchTask streams: memory of the gateway per stream", 32),
    _most("watchers", "feed.catch_up_seconds", "WatchTasks over everything: complete after the last task", 30),
    _least("growth", "growth.10000000.ratio", "throughput with 10 million finished tasks / with none", 0.9),
    _most("verify", "verify.10000000.seconds", "taskwire verify with 10 million finished tasks", 180),
    _most("verify", "verify.10000000.memory", "taskwire verify with 10 million finished tasks: its memory", 256),
    _most("steady", "steady.memory_ratio", "10 minutes at half load: greatest growth of memory", 1.05),
    _most("steady", "steady.p99_ratio", "10 minutes at half load: p99 / that of the first minute", 2.0),
)


def judge(results: Callable[[str], Result | None], scenarios: Sequence[str]) -> list[Judged]:
    """Compare the results of `scenarios` with their targets. Without a usable result the verdict is NOT MEASURED."""
    return [_judge(target, results(target.scenario)) for target in TARGETS if target.scenario in scenarios]


def _judge(target: Target, result: Result | None) -> Judged:
    if result is None:
        return Judged(
            target, Verdict.NOT_MEASURED, note=f"no result of this code: make bench SCENARIO={target.scenario}"
        )
    figure = result.figure(target.figure)
    if figure is None:
        reason = next((why for what, why in result.missing.items() if target.figure.startswith(what)), "")
        return Judged(target, Verdict.NOT_MEASURED, note=reason)
    median = figure.spread.median
    reached = median <= target.bound if target.at_most else median >= target.bound
    return Judged(
        target,
        Verdict.MET if reached else Verdict.MISSED,
        median,
        figure.spread.minimum,
        figure.spread.maximum,
        figure.unit,
        "; ".join(result.conditions.reservations),
    )
