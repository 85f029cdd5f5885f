import pytest

from taskwire_shared.domain.lease import renewal_seconds


@pytest.mark.parametrize(("lease", "pause"), [(0.5, 0.05), (30, 3), (3600, 3)])
def test_a_lease_outlives_several_renewals_that_fail(lease, pause):
    assert renewal_seconds(lease) == pytest.approx(pause)
