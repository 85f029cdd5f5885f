"""Plants a bug and sees whether it is found."""

from collections.abc import Mapping

from msgspec import Struct

from taskwire_chaos.bugs.catalogue import Bug
from taskwire_chaos.campaign import Outcome, run_campaign
from taskwire_chaos.layout import RunFolder


class Hunt(Struct, frozen=True):
    """What came of one hunt."""

    bug: Bug
    outcome: Outcome
    was_planted: bool

    @property
    def caught_by(self) -> Mapping[str, int]:
        """Return the validators that object, with how often."""
        return {name: len(found) for name, found in self.outcome.violations.items() if found}

    @property
    def is_as_it_should(self) -> bool:
        """Tell whether a planted bug was found by one of the promises it breaks, or a sound product by none."""
        if not self.was_planted:
            return not self.caught_by
        return any(name.split()[0] in self.bug.promises for name in self.caught_by)


async def hunt(bug: Bug, folder: RunFolder, seed: int, *, planted: bool) -> Hunt:
    """Run the campaign that is aimed at a bug, with it or, to see that nothing else is found, without it."""
    return Hunt(bug, await run_campaign(bug.plan(planted=planted), folder, seed), planted)
