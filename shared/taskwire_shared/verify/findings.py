"""What has been found so far: everything is counted, some of it is kept to be shown."""

from collections import defaultdict
from collections.abc import Iterable

from taskwire_shared.domain.audit import Check, Flaw, Flaws

SHOWN_MAX = 10
"""Flaws of one check. Who has more has seen enough, and memory stays flat."""


class Findings:
    """Counts flaws by check."""

    def __init__(self) -> None:
        self.violations: defaultdict[Check, int] = defaultdict(int)
        self.warnings: defaultdict[Check, int] = defaultdict(int)
        self.shown: defaultdict[Check, list[Flaw]] = defaultdict(list)

    def add(self, flaws: Iterable[Flaw]) -> None:
        """Note flaws one by one."""
        for flaw in flaws:
            self._note(flaw, 1)

    def add_counted(self, kinds: Iterable[Flaws]) -> None:
        """Note flaws of which only some are at hand."""
        for flaws in kinds:
            for flaw in flaws.shown:
                self._note(flaw, 1)
            self.violations[flaws.shown[0].check] += flaws.count - len(flaws.shown)

    def merge(self, other: "Findings") -> None:
        """Note what `other` has noted."""
        for check, flaws in other.shown.items():
            self._show(check, flaws)
        for check, count in other.violations.items():
            self.violations[check] += count
        for check, count in other.warnings.items():
            self.warnings[check] += count

    def _note(self, flaw: Flaw, count: int) -> None:
        counts = self.warnings if flaw.is_warning else self.violations
        counts[flaw.check] += count
        self._show(flaw.check, [flaw])

    def _show(self, check: Check, flaws: list[Flaw]) -> None:
        shown = self.shown[check]
        shown += flaws[: max(0, SHOWN_MAX - len(shown))]
