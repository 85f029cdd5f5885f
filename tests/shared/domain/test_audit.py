from taskwire_shared.domain.audit import RULES, Check


def test_every_check_has_a_rule_that_serves_a_promise() -> None:
    assert list(RULES) == list(Check)
    assert {rule.promise for rule in RULES.values()} == {f"P{number}" for number in range(1, 11)}
