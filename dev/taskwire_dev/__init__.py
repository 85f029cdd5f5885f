"""Postgres and NATS without an installation, and a whole Taskwire around them: for developers, demos and tests."""
