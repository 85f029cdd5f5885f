"""Bad input at volume, in small: the same as `make abuse`, which takes longer."""

import pytest

from taskwire_chaos.abuse import inputs
from taskwire_chaos.abuse.attacks import ATTACKS
from taskwire_chaos.abuse.caller import HANG
from taskwire_chaos.abuse.census import Census
from taskwire_chaos.abuse.inputs import Attack, Call
from taskwire_chaos.abuse.methods import BY_NAME, METHODS
from taskwire_chaos.abuse.record import Record
from taskwire_chaos.abuse.run import leaks, run
from taskwire_chaos.abuse.world import World

COUNT = 2_000


def _facts(made: inputs.Input) -> object:
    # Ids and times in valid messages are those of now.
    return made if isinstance(made, Attack) else (made.kind, made.method, made.metadata, made.hasty, made.expected)


def test_a_seed_makes_the_same_inputs_again_and_leaves_nothing_out() -> None:
    made = [inputs.make(7, number, World()) for number in range(20_000)]

    assert list(map(_facts, made[:500])) == [_facts(inputs.make(7, number, World())) for number in range(500)]
    assert {one.method for one in made if isinstance(one, Call)} == set(METHODS)
    assert {one.name for one in made if isinstance(one, Attack)} == set(ATTACKS)
    assert len({one.kind for one in made}) == 8


@pytest.mark.parametrize("code", ["INTERNAL", "UNKNOWN", HANG])
def test_what_must_not_be_an_answer_is_noted(code: str) -> None:
    record = Record(seed=1)
    call = Call("valid", BY_NAME["GetTask"], b"")
    record.note_call(1, call, "NOT_FOUND", b"")
    assert not record.violation_count
    record.note_call(2, call, code, b"")
    assert record.violation_count == 1
    assert code in record.as_page()


def test_more_than_a_limit_has_one_right_answer() -> None:
    record = Record(seed=1)
    record.note_call(1, Call("at a limit", BY_NAME["GetTask"], b"", expected="INVALID_ARGUMENT"), "OK", b"")
    assert record.violation_count == 1


@pytest.mark.parametrize("what", ["rss_mib", "held_mib", "descriptors", "threads", "tasks", "connections"])
def test_what_grows_is_noted(what: str) -> None:
    usual = {"rss_mib": 100.0, "held_mib": 90.0, "descriptors": 30, "threads": 10, "tasks": 20, "connections": 10}
    before = Census(service="gateway", pid=1, **usual)
    assert not leaks([before], [before])
    assert leaks([before], [Census(service="gateway", pid=1, **usual | {what: usual[what] + 100})])


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_p9_a_gateway_bears_bad_input(tmp_path) -> None:
    record = await run(tmp_path / "run", 1, COUNT, lambda _: None)

    assert record.violations == []
    assert record.inputs == COUNT
    assert record.after
    assert "Nothing is broken" in record.verified
