"""Bad input at volume: everything that a gateway can be sent and should not be, by seed, and what became of it."""
