from taskwire_shared.domain.audit import Check, Flaw, Flaws
from taskwire_shared.verify.findings import SHOWN_MAX, Findings


def flaw(number: int, *, is_warning: bool = False) -> Flaw:
    return Flaw(Check.STEPS, f"task {number}", "a step", is_warning)


def test_all_are_counted_and_some_are_shown() -> None:
    findings = Findings()
    findings.add(flaw(number) for number in range(SHOWN_MAX + 5))

    assert findings.violations[Check.STEPS] == SHOWN_MAX + 5
    assert findings.shown[Check.STEPS] == [flaw(number) for number in range(SHOWN_MAX)]


def test_warnings_are_counted_apart() -> None:
    findings = Findings()
    findings.add([flaw(1), flaw(2, is_warning=True)])

    assert findings.violations[Check.STEPS] == 1
    assert findings.warnings[Check.STEPS] == 1


def test_counted_ones_need_not_be_at_hand() -> None:
    findings = Findings()
    findings.add_counted([Flaws((flaw(1), flaw(2)), 1000)])

    assert findings.violations[Check.STEPS] == 1000
    assert len(findings.shown[Check.STEPS]) == 2


def test_merged_findings_are_the_sum() -> None:
    first, second = Findings(), Findings()
    first.add([flaw(1)])
    second.add(flaw(number) for number in range(SHOWN_MAX))
    first.merge(second)

    assert first.violations[Check.STEPS] == SHOWN_MAX + 1
    assert len(first.shown[Check.STEPS]) == SHOWN_MAX
