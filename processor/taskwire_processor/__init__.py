"""The service that runs tasks: control and runners apart."""
