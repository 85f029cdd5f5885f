"""The client of Taskwire and the decorator of its handlers."""
