"""What the short form, a condition of a merge, passes and fails."""

import pytest
from taskwire_bench import command
from taskwire_bench.results import Figure, Shelf
from taskwire_bench.spread import Spread


@pytest.fixture
def short(make_result, monkeypatch, tmp_path):
    """Run the short form, where each try finds the next efficiency. Returns the exit status and what is left."""

    def run(*efficiencies):
        left = list(efficiencies)

        async def measure(name, arguments, shelf: Shelf) -> bool:
            figure = Figure(name="efficiency", unit="", spread=Spread.of([left.pop(0)]))
            shelf.keep(make_result(scenario=name, figures=(figure,)))
            return True

        monkeypatch.setattr(command, "_measure", measure)
        return command.main(["--short", "throughput", "--out", str(tmp_path)]), left

    return run


def test_the_short_form_passes_when_efficient(short) -> None:
    assert short(0.6, 0.1) == (0, [0.1])


def test_a_noisy_moment_does_not_fail_the_short_form(short) -> None:
    assert short(0.3, 0.7) == (0, [])


def test_the_short_form_fails_when_three_tries_are_not_efficient(short) -> None:
    assert short(0.59, 0.59, 0.59, 0.7) == (1, [0.7])
