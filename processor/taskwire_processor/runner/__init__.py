"""The process that runs handlers, and what it and control say to each other."""
