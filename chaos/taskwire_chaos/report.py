"""Says what came of a run."""

from taskwire_chaos.campaign import Outcome
from taskwire_chaos.hunt import Hunt

_SHOWN_MAX = 5
"""Violations of one promise. All of them can be had by checking the run again."""


def describe(outcome: Outcome) -> str:
    """Return a report for people."""
    lines = [f"{outcome.tasks} tasks, {outcome.events} versions, {outcome.seconds:.0f} s"]
    counted = sorted(outcome.faults.items(), key=lambda item: -item[1])
    lines.append("struck: " + (", ".join(f"{name} {count}" for name, count in counted) or "nothing"))
    lines.append(", ".join(f"{count} {name}" for name, count in outcome.counts.items()))
    lines += outcome.remarks
    lines += [f"TOO FEW: {shortfall}" for shortfall in outcome.shortfalls]
    for name, violations in outcome.violations.items():
        lines.append(f"  {name:<22} {'ok' if not violations else f'VIOLATED, {len(violations)} times'}")
        lines += [f"      {violation}" for violation in violations[:_SHOWN_MAX]]
    return "\n".join(lines)


def describe_hunt(hunt: Hunt) -> str:
    """Return one row of the table of planted bugs."""
    outcome = hunt.outcome
    if hunt.is_as_it_should:
        verdict = "caught" if hunt.was_planted else "clean"
    else:
        verdict = "MISSED" if hunt.was_planted else "NOT CLEAN"
    caught_by = ", ".join(f"{name} ({count})" for name, count in hunt.caught_by.items()) or "nobody"
    faults = ", ".join(f"{name} {count}" for name, count in outcome.faults.items()) or "none"
    return f"| {hunt.bug.number} | {hunt.bug.module} | {verdict} | {caught_by} | {faults} | {outcome.tasks} |"
