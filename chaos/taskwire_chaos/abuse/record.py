"""What became of the inputs."""

from collections import Counter, defaultdict

import msgspec
from msgspec import Struct, field

from taskwire_chaos.abuse.attacker import HANG as ATTACK_HANGS
from taskwire_chaos.abuse.caller import HANG
from taskwire_chaos.abuse.census import Census
from taskwire_chaos.abuse.inputs import Attack, Call

FORBIDDEN = frozenset({"INTERNAL", "UNKNOWN", "DATA_LOSS", HANG})
VIOLATIONS_MAX = 50
"""Kept. All are counted."""


class Record(Struct, kw_only=True):
    """Counts, and whatever must not be."""

    seed: int
    calls: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """Codes by method."""
    kinds: Counter[str] = field(default_factory=Counter)
    attacks: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """What became of the connection, by attack."""
    violations: list[str] = field(default_factory=list)
    violation_count: int = 0
    before: list[Census] = field(default_factory=list)
    after: list[Census] = field(default_factory=list)
    gateway_mib: list[float] = field(default_factory=list)
    """Resident memory of the gateway now and then, under load."""
    states: dict[int, int] = field(default_factory=dict)
    canary_calls: int = 0
    canary_seconds_max: float = 0.0
    seconds: float = 0.0
    verified: str = ""

    @property
    def inputs(self) -> int:
        """Return how many there were."""
        return self.kinds.total()

    def note_call(self, number: int, call: Call, code: str, answer: bytes) -> None:
        """Count a call, and judge its answer."""
        self.kinds[call.kind] += 1
        self.calls[call.method.label][code] += 1
        if code in FORBIDDEN or (call.expected and code != call.expected):
            what = f"input {number} ({call.kind}, {call.method.label}, {len(call.data)} bytes {call.data[:60].hex()})"
            self.violate(f"{what} got {code} {answer[:200]!r}{f' and not {call.expected}' if call.expected else ''}")

    def note_attack(self, number: int, attack: Attack, end: str) -> None:
        """Count an attack, and judge how it ended."""
        self.kinds[attack.kind] += 1
        self.attacks[attack.name][end] += 1
        if end == ATTACK_HANGS:
            self.violate(f"input {number} ({attack.name}) hangs")

    def violate(self, what: str) -> None:
        """Note what must not be."""
        self.violation_count += 1
        if len(self.violations) < VIOLATIONS_MAX:
            self.violations.append(what)

    def as_json(self) -> bytes:
        """Return all of it."""
        return msgspec.json.format(msgspec.json.encode(self))

    def as_page(self) -> str:
        """Return it for people."""
        lines = [f"{self.inputs:,} inputs with seed {self.seed} in {self.seconds:.0f} s", "", *self._tables(), ""]
        for moment, services in (("before", self.before), ("after", self.after)):
            lines += [f"{moment:<7} {_numbers(one)}" for one in services]
        tasks = ", ".join(f"{count:,} in state {state}" for state, count in sorted(self.states.items()))
        lines += [f"tasks   {tasks}", f"verify  {self.verified}"]
        lines.append(f"canary  {self.canary_calls:,} calls, the slowest took {self.canary_seconds_max:.2f} s")
        lines += ["", f"{self.violation_count:,} violations", *(f"  {what}" for what in self.violations)]
        return "\n".join(lines)

    def _tables(self) -> list[str]:
        rows = [("kind", kind, f"{count:,}") for kind, count in self.kinds.most_common()]
        rows += [("method", name, _counts(codes)) for name, codes in sorted(self.calls.items())]
        rows += [("HTTP/2", name, _counts(ends)) for name, ends in sorted(self.attacks.items())]
        return [f"{what:<7} {name:<38} {counts}" for what, name, counts in rows]


def _counts(counts: Counter[str]) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in counts.most_common())


def _numbers(one: Census) -> str:
    return (
        f"{one.service}: {one.rss_mib:.0f} MiB ({one.held_mib:.0f} in use), {one.descriptors} descriptors,"
        f" {one.threads} threads, {one.tasks} asyncio tasks, {one.connections} connections to Postgres"
    )
