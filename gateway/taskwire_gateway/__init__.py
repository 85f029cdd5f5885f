"""The service that callers talk to: gRPC in, the store and the bus behind it."""
