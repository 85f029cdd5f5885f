"""The handlers that every processor has unless it is told otherwise: for first steps and measurements."""

from taskwire_processor.shipped.crunch import crunch
from taskwire_processor.shipped.echo import echo
from taskwire_processor.shipped.flaky import flaky
from taskwire_processor.shipped.sleep import sleep

__all__ = ["crunch", "echo", "flaky", "sleep"]
