"""What the gateway and the processor share: the domain, the store, the bus, settings and telemetry."""
