"""Breaks a running Taskwire in every way we could think of, and checks its promises afterwards. Not shipped."""
