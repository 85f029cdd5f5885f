"""Holding a live database and its broker against what must be true of them at any moment."""
