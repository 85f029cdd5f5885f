"""Bugs on purpose: each breaks one mechanism, and the harness must notice. Planted like failpoints, never shipped."""
