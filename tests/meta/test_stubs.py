"""The committed stubs are what the protos generate."""

import runpy
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
COMMITTED = REPOSITORY / "client" / "taskwire" / "v1"


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir() if path.is_file()}


def test_committed_stubs_are_what_the_protos_generate(tmp_path: Path) -> None:
    generate = runpy.run_path(str(REPOSITORY / "protos" / "generate.py"))["generate"]
    generate(tmp_path)

    assert _texts(COMMITTED) == _texts(tmp_path / "taskwire" / "v1"), "run `make proto`"
