"""Says what came of a run."""

from taskwire_chaos.campaign import Outcome

_SHOWN_MAX = 5
"""Violations of one promise. All of them can be had by checking the run again."""


def describe(outcome: Outcome) -> str:
    """Return a report for people."""
    lines = [f"{outcome.tasks} tasks, {outcome.events} versions, {outcome.seconds:.0f} s"]
    counted = sorted(outcome.faults.items(), key=lambda item: -item[1])
    lines.append("struck: " + (", ".join(f"{name} {count}" for name, count in counted) or "nothing"))
    for name, violations in outcome.violations.items():
        lines.append(f"  {name:<22} {'ok' if not violations else f'VIOLATED, {len(violations)} times'}")
        lines += [f"      {violation}" for violation in violations[:_SHOWN_MAX]]
    return "\n".join(lines)
