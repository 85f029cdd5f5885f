"""What holds where neither the caller nor an operator has said otherwise."""

MAX_ATTEMPTS = 3
INITIAL_BACKOFF_MS = 1_000
MAX_BACKOFF_MS = 600_000

LEASE_SECONDS = 30.0
RENEWAL_SECONDS = 3.0
"""The longest pause between two renewals; a shorter lease renews every tenth of it."""
CANCEL_GRACE_SECONDS = 10.0
DRAIN_GRACE_SECONDS = 30.0
RETENTION_DAYS = 7
CONCURRENCY = 100
