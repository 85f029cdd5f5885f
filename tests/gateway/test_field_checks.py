"""Single fields at their limits."""

import time

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from hypothesis import given
from hypothesis import strategies as st

from taskwire_gateway import field_checks as fields
from taskwire_gateway.violations import Violations, refuse_field
from taskwire_shared.domain.errors import InvalidFields
from taskwire_shared.domain.ids import id_at, new_id


def _found(check, *args, **more):
    found = Violations()
    check(found, "path", *args, **more)
    return [violation.field for violation in found.found]


@pytest.mark.parametrize(("age", "accepted"), [(86_399, True), (86_402, False), (-299, True), (-302, False)])
def test_ids_are_fresh(age, accepted):
    now = time.time()
    assert (_found(fields.check_fresh_id, str(id_at(int((now - age) * 1000))), now) == []) is accepted


@given(st.text(max_size=40))
def test_only_canonical_ids_are_ids(text):
    assert _found(fields.check_id, text) == ["path"]
    assert _found(fields.check_id, str(new_id())) == []


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_times_that_pass_can_be_converted(seconds, nanos):
    moment = Timestamp(seconds=seconds, nanos=nanos)
    if not _found(fields.check_time, moment):
        assert moment.ToMicroseconds() is not None


@given(st.integers(-(2**63), 2**63 - 1), st.integers(-(2**31), 2**31 - 1))
def test_durations_that_pass_are_neither_negative_nor_long(seconds, nanos):
    span = Duration(seconds=seconds, nanos=nanos)
    if not _found(fields.check_duration, span, at_least_ms=0):
        assert 0 <= span.ToNanoseconds() <= 365 * 86_400 * 10**9


def test_a_duration_too_short_to_be_kept_is_refused():
    assert _found(fields.check_duration, Duration(nanos=999_999), at_least_ms=1) == ["path"]
    assert _found(fields.check_duration, Duration(nanos=1_000_000), at_least_ms=1) == []


def test_nothing_found_refuses_nothing():
    Violations().refuse()
    assert isinstance(refuse_field("a", "b"), InvalidFields)
