"""One module for each promise: what must hold of every history, whatever was broken in it."""
