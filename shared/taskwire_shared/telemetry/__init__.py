"""What a running service says about itself: logs and metrics. The contract is in `docs/events.md`."""
