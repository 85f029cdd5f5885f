import json
from typing import Any

from taskwire_shared.domain.audit import RULES, Check, Flaw, Flaws
from taskwire_shared.verify.findings import Findings
from taskwire_shared.verify.report import Report, results


def report(findings: Findings, **given: Any) -> Report:
    sound = not any(findings.violations.values())
    usual = {"sound": sound, "complete": True, "tasks": 1_234_567, "keys": 8, "rings": 9, "seconds": 12.34}
    return Report(**{**usual, **given}, checks=results(findings))


def wounded() -> Findings:
    findings = Findings()
    findings.add_counted([Flaws((Flaw(Check.FENCES, "task 1", "attempt 2 in version 3, after 0"),), 1_001)])
    findings.add([Flaw(Check.LINES, "'a\x1b[31m' in queue 'b'", "nobody comes", is_warning=True)])
    return findings


def test_exit_code_tells_broken_from_unknown() -> None:
    assert report(Findings()).exit_code == 0
    assert report(Findings(), complete=False).exit_code == 1
    assert report(wounded()).exit_code == 3
    assert report(wounded(), complete=False).exit_code == 3


def test_page_names_every_check_and_what_was_found() -> None:
    lines = report(wounded()).as_page().splitlines()

    assert [line.split()[0] for line in lines[1 : 1 + len(RULES)]] == [str(check) for check in RULES]
    assert any(line.startswith("fences") and "1,001 broken" in line for line in lines)
    assert any(line.startswith("lines") and "1 to look at" in line for line in lines)
    assert "  BROKEN   task 1  attempt 2 in version 3, after 0" in lines
    assert "  and 1,000 more" in lines
    assert lines[-1] == "1,001 broken: 1,234,567 tasks, 8 keys, 9 rings in 12.3 s."


def test_page_says_when_not_everything_was_looked_at() -> None:
    assert report(Findings(), complete=False).as_page().endswith("The time was up before everything was looked at.")
    assert "no stream of rings" in report(Findings(), rings=None).as_page()


def test_names_of_callers_do_not_control_the_terminal() -> None:
    assert "\x1b" not in report(wounded()).as_page()


def test_json_has_every_check() -> None:
    document = json.loads(report(wounded()).as_json())

    assert [one["check"] for one in document["checks"]] == [str(check) for check in RULES]
    assert document["checks"][4] == {
        "check": "fences",
        "promise": "P4",
        "rule": RULES[Check.FENCES].text,
        "violations": 1_001,
        "warnings": 0,
        "shown": [{"subject": "task 1", "detail": "attempt 2 in version 3, after 0", "warning": False}],
    }
