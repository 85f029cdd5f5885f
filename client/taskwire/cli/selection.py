"""The options that pick tasks, for `list` and `watch`."""

import argparse
from typing import cast

from taskwire.requests import Selector
from taskwire.task import TaskState

_STATES = {state.name.lower(): state for state in TaskState if state is not TaskState.UNKNOWN}


def add_selection(parser: argparse.ArgumentParser) -> None:
    """Add the options to `parser`."""
    parser.add_argument(
        "--queue", action="append", default=[], metavar="NAME", help="only of this queue; may be given again"
    )
    parser.add_argument(
        "--type", action="append", default=[], metavar="NAME", help="only of this type; may be given again"
    )
    parser.add_argument(
        "--state", action="append", default=[], choices=list(_STATES), help="only in this state; may be given again"
    )
    parser.add_argument(
        "--label", action="append", default=[], type=label, metavar="KEY=VALUE", help="only with this label"
    )


def selector(arguments: argparse.Namespace) -> Selector:
    """Return what the options pick."""
    return Selector(
        queues=arguments.queue,
        types=arguments.type,
        states=[_STATES[name] for name in arguments.state],
        labels=dict(cast("list[tuple[str, str]]", arguments.label)),
    )


def label(text: str) -> tuple[str, str]:
    """Read `KEY=VALUE`. Raises argparse's error for anything else."""
    key, equals, value = text.partition("=")
    if not (key and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    return key, value
