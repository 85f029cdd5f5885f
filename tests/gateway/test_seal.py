"""Tokens open where they were made, and nowhere else."""

from hypothesis import given
from hypothesis import strategies as st

from taskwire_gateway.seal import Seal

SEAL = Seal(b"s" * 32)


@given(st.binary(max_size=160), st.lists(st.binary(max_size=40), max_size=3))
def test_a_token_opens_for_its_purpose(body, bound_to):
    token = SEAL.close(body, *bound_to)
    assert SEAL.open(token, *bound_to) == body
    assert SEAL.open(token, *bound_to, b"more") is None
    assert Seal(b"t" * 32).open(token, *bound_to) is None


@given(st.text(max_size=80))
def test_what_was_not_made_here_does_not_open(token):
    assert SEAL.open(token, b"x") is None


@given(st.binary(min_size=1, max_size=40), st.integers(min_value=0), st.characters(codec="ascii"))
def test_a_changed_token_does_not_open(body, position, character):
    token = SEAL.close(body, b"x")
    position %= len(token) + 1
    for changed in (
        token[:position] + character + token[position + 1 :],
        token[:position] + character + token[position:],
    ):
        assert changed == token or SEAL.open(changed, b"x") is None


def test_parts_do_not_run_into_each_other():
    assert SEAL.open(SEAL.close(b"c", b"a", b"b"), b"ab") is None
    assert SEAL.open(SEAL.close(b"c", b"ab"), b"a", b"b") is None
