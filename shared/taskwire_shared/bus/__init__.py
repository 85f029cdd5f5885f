"""The doorbell: NATS carries hints, and everything it may lose is found again in Postgres."""
