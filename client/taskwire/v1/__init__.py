"""The generated stubs of the API, package `taskwire.v1`; see `docs/api.md`."""
