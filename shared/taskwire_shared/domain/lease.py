"""How often a lease is renewed."""

RENEWAL_SECONDS_MAX = 3.0
RENEWALS_PER_LEASE = 10
"""At least, so that a short lease outlives some that fail."""


def renewal_seconds(lease_seconds: float) -> float:
    """Return the time between two renewals of a lease that lasts `lease_seconds`."""
    return min(RENEWAL_SECONDS_MAX, lease_seconds / RENEWALS_PER_LEASE)
