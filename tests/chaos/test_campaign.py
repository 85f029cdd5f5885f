"""A campaign from start to verdict."""

from pathlib import Path

import pytest
from msgspec import structs

from taskwire_chaos.campaign import judge_folder, run_campaign
from taskwire_chaos.faults.processes import KillProcessor
from taskwire_chaos.layout import RunFolder
from taskwire_chaos.lengths import LENGTHS
from taskwire_chaos.shape import Shape


@pytest.mark.slow
@pytest.mark.timeout(240)
async def test_promises_are_kept_when_a_processor_is_killed_and_the_run_can_be_judged_again(tmp_path: Path) -> None:
    smoke = LENGTHS["smoke"]
    plan = structs.replace(
        smoke,
        weather=structs.replace(smoke.weather, seconds=4, quiet_part=0),
        shape=Shape(gateways=1, processors=1, lease_seconds=2),
        faults=(KillProcessor,),
        feeds=1,
    )
    folder = RunFolder(tmp_path / "run")

    outcome = await run_campaign(plan, folder, seed=3)

    assert outcome.is_clean, outcome.violations
    assert outcome.faults["kill processor"] >= 1
    assert outcome.tasks > 15
    assert judge_folder(folder).violations == outcome.violations
