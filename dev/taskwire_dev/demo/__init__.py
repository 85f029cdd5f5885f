"""`taskwire demo`: tasks of all kinds, from their creation to their end."""
