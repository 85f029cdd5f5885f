"""The clients: each load comes from a process of its own, so that what it costs is seen apart from what it measures."""
