"""P5: what is owed is done in time once everything is mended, and without the slow path when everything is well."""

from collections.abc import Iterator
from statistics import median

from taskwire_chaos.history import History
from taskwire_chaos.journal import Overdue, Prompt, Recovered

PROMPT_SECONDS_MAX = 1.0
"""The median wait of a task that was rung for, at rest. With rings heard it is some hundredths; by the slow claim alone
it is 1.5 s with one processor."""
PROMPTS_MIN = 10
RECOVERY_SECONDS = 5.0
"""What P5 allows beside the lease."""
SLACK_SECONDS = 5.0
"""For a machine that is busy with other things as well."""


def check(history: History) -> Iterator[str]:
    """Give what was overdue, and say so when rings are not heard."""
    for overdue in history.all(Overdue):
        yield f"{f'task {overdue.task} ' if overdue.task else ''}{overdue.what} for {overdue.seconds:.1f} s"
    waits = [prompt.seconds for prompt in history.all(Prompt)]
    if history.facts.tries_everything and len(waits) < PROMPTS_MIN:
        yield f"with everything mended, only {len(waits)} tasks were seen to wait for their start"
    if len(waits) >= PROMPTS_MIN and median(waits) > PROMPT_SECONDS_MAX:
        yield f"with everything mended, tasks waited {median(waits):.2f} s (median of {len(waits)}): nobody hears rings"
    most = history.facts.lease_seconds + RECOVERY_SECONDS + SLACK_SECONDS
    for recovered in history.all(Recovered):
        if recovered.seconds > most:
            yield f"task {recovered.task} was pending again {recovered.seconds:.1f} s after its processor was killed"
