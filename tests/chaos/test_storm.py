"""What strikes is chosen by the seed alone."""

from collections import Counter
from random import Random
from typing import ClassVar
from unittest.mock import MagicMock

import pytest

from taskwire_chaos.faults.catalogue import FAULTS
from taskwire_chaos.faults.fault import Fault
from taskwire_chaos.journal import Phase, Remark
from taskwire_chaos.storm import Storm, Weather


class _Harmless(Fault):
    name: ClassVar[str] = "harmless"
    weight: ClassVar[int] = 1

    async def strike(self) -> None:
        self.note()


class _AsHarmless(_Harmless):
    name: ClassVar[str] = "as harmless"


async def _phases(seed: int) -> list[str]:
    site = MagicMock()
    site.heal, site.strikes = _nothing, Counter()
    storm = Storm(site, MagicMock(), (_Harmless, _AsHarmless), Random(seed))
    await storm.rage(Weather(seconds=0.4, period=(0.01, 0.02), quiet=(0, 0.01), pause=(0.001, 0.002)), _nothing)
    records = [call.args[0] for call in site.journal.write.call_args_list]
    return [record.name for record in records if isinstance(record, Phase)]


async def _nothing(*_: object) -> None:
    pass


async def test_the_same_seed_chooses_the_same_mixes() -> None:
    once, again, other = await _phases(1), await _phases(1), await _phases(2)
    common = min(len(once), len(again), len(other))

    assert common > 3
    assert once[:common] == again[:common] != other[:common]


async def test_what_struck_too_seldom_is_made_up_for() -> None:
    site = MagicMock()
    site.strikes = Counter({"harmless": 1})
    storm = Storm(site, MagicMock(), (_Harmless, _AsHarmless), Random(1), least={"harmless": 2})

    await storm.make_up(10)

    assert site.strikes == {"harmless": 2}


async def test_what_lags_behind_goes_before_others() -> None:
    site = MagicMock()
    site.heal, site.strikes = _nothing, Counter({"as harmless": 1})
    storm = Storm(site, MagicMock(), (_Harmless, _AsHarmless), Random(1), least={"as harmless": 1000})
    weather = Weather(seconds=0.2, period=(0.01, 0.02), quiet=(0, 0), pause=(1, 1), quiet_part=0, kinds=(1, 1))

    await storm.rage(weather, _nothing)

    _first, *later = [
        call.args[0].name for call in site.journal.write.call_args_list if isinstance(call.args[0], Phase)
    ]
    assert len(later) > 2
    assert set(later) == {"mix: as harmless"}


class _Broken(_Harmless):
    name: ClassVar[str] = "broken"

    async def strike(self) -> None:
        await super().strike()
        raise OSError("no such process")


async def test_a_fault_that_fails_is_remarked_upon() -> None:
    site = MagicMock()
    site.strikes = Counter()
    storm = Storm(site, MagicMock(), (_Broken,), Random(1), least={"broken": 1})

    await storm.make_up(10)

    [remark] = [call.args[0] for call in site.journal.write.call_args_list if isinstance(call.args[0], Remark)]
    assert remark.text == "a strike of broken failed: OSError('no such process')"


def test_faults_have_names_of_their_own() -> None:
    names = [kind.name for kind in FAULTS]

    assert len(set(names)) == len(names)
    assert all(kind.weight > 0 for kind in FAULTS)


@pytest.mark.parametrize("kind", FAULTS)
async def test_a_fault_with_nothing_to_strike_does_nothing(kind: type[Fault]) -> None:
    site, crowd = MagicMock(), MagicMock()
    site.links, site.busy, crowd.watchers = [], {"postgres", "nats", "overload"}, []
    site.free.return_value = []

    await kind(site, crowd, Random(1)).strike()

    assert not site.journal.write.called


async def test_what_cannot_be_tried_on_this_machine_is_remarked_on() -> None:
    class Lacking(_Harmless):
        name: ClassVar[str] = "lacking"
        lacks: ClassVar[str] = "a library"

    site = MagicMock()

    Storm(site, MagicMock(), (_Harmless, Lacking), Random(1))

    [remark] = [call.args[0] for call in site.journal.write.call_args_list]
    assert remark.text == "lacking: left out for want of a library"
