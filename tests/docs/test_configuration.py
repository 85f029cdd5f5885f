"""docs/configuration.md is what the settings class says."""

import runpy
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
PAGE = REPOSITORY / "docs" / "configuration.md"


def test_page_is_up_to_date() -> None:
    generator = runpy.run_path(str(REPOSITORY / "docs" / "generate_configuration.py"))

    assert PAGE.read_text() == generator["render"](), "run `python docs/generate_configuration.py`"
