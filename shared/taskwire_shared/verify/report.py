"""What one run has found, as a value, as JSON and as a page."""

from collections.abc import Iterable

import msgspec
from msgspec import Struct

from taskwire_shared.domain.audit import RULES, Check, Flaw
from taskwire_shared.verify.findings import Findings

EXIT_SOUND = 0
EXIT_UNKNOWN = 1
"""It could not be found out, or not all of it."""
EXIT_BROKEN = 3


class Shown(Struct, frozen=True):
    """A flaw in a report."""

    subject: str
    detail: str
    warning: bool


class Result(Struct, frozen=True):
    """The outcome of one check."""

    check: Check
    promise: str
    rule: str
    violations: int
    warnings: int
    shown: tuple[Shown, ...]
    """Up to `findings.SHOWN_MAX` of the violations and warnings."""


class Report(Struct, frozen=True, kw_only=True):
    """The outcome of a run."""

    sound: bool
    """Whether no rule is broken, as far as was looked."""
    complete: bool
    """Whether everything was looked at."""
    tasks: int
    keys: int
    rings: int | None
    """None where the broker does not answer or has no stream."""
    seconds: float
    checks: tuple[Result, ...]

    @property
    def exit_code(self) -> int:
        """Return what `taskwire verify` exits with."""
        if not self.sound:
            return EXIT_BROKEN
        return EXIT_SOUND if self.complete else EXIT_UNKNOWN

    def as_json(self) -> str:
        """Return the report as a JSON object."""
        return msgspec.json.format(msgspec.json.encode(self)).decode()

    def as_page(self) -> str:
        """Return the report for people."""
        return "\n".join([*_table(self), *_details(self), "", _summary(self)])


def results(findings: Findings) -> tuple[Result, ...]:
    """Return the outcome of every check, those that have found nothing included."""
    return tuple(
        Result(
            check=check,
            promise=rule.promise,
            rule=rule.text,
            violations=findings.violations.get(check, 0),
            warnings=findings.warnings.get(check, 0),
            shown=tuple([_shown(flaw) for flaw in findings.shown.get(check, ())]),
        )
        for check, rule in RULES.items()
    )


def _shown(flaw: Flaw) -> Shown:
    return Shown(flaw.subject, flaw.detail, flaw.is_warning)


def _table(report: Report) -> Iterable[str]:
    yield f"{'CHECK':<12} {'PROMISE':<8} {'RESULT':<22} RULE"
    for result in report.checks:
        yield f"{result.check:<12} {result.promise:<8} {_verdict(result):<22} {result.rule}"


def _verdict(result: Result) -> str:
    parts = [
        f"{result.violations:,} broken" if result.violations else "",
        f"{result.warnings:,} to look at" if result.warnings else "",
    ]
    return ", ".join(part for part in parts if part) or "ok"


def _details(report: Report) -> Iterable[str]:
    for result in report.checks:
        if result.shown:
            yield from ("", f"{result.check}: {result.rule}")
            yield from (f"  {'warning' if one.warning else 'BROKEN '}  {_line(one)}" for one in result.shown)
        if hidden := result.violations + result.warnings - len(result.shown):
            yield f"  and {hidden:,} more"


def _line(shown: Shown) -> str:
    # Names and keys of callers must not control the terminal.
    text = f"{shown.subject}  {shown.detail}"
    return "".join(char if char.isprintable() else repr(char)[1:-1] for char in text)


def _summary(report: Report) -> str:
    rings = "no stream of rings" if report.rings is None else f"{report.rings:,} rings"
    looked = f"{report.tasks:,} tasks, {report.keys:,} keys, {rings} in {report.seconds:.1f} s"
    end = "" if report.complete else " The time was up before everything was looked at."
    if report.sound:
        return f"Nothing is broken: {looked}.{end}"
    broken = sum(result.violations for result in report.checks)
    return f"{broken:,} broken: {looked}.{end}"
