"""What is shipped: every component, nothing else."""

import subprocess
import sys
import tomllib
from email.parser import Parser
from pathlib import Path
from zipfile import ZipFile

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
COMPONENTS = ("client", "dev", "gateway", "migrations", "processor", "shared")


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> ZipFile:
    folder = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=REPOSITORY, check=True, capture_output=True, timeout=50)
    return ZipFile(next(folder.glob("*.whl")))


def test_wheel_holds_every_file_of_the_components(wheel: ZipFile) -> None:
    shipped = {name for name in wheel.namelist() if ".dist-info/" not in name}
    sources = {
        str(path.relative_to(REPOSITORY / component))
        for component in COMPONENTS
        for path in (REPOSITORY / component).glob("taskwire*/**/*")
        if path.is_file() and "__pycache__" not in path.parts
    }

    assert shipped == sources
    assert {name.split("/")[0] for name in shipped} == {
        "taskwire",
        "taskwire_dev",
        "taskwire_gateway",
        "taskwire_migrations",
        "taskwire_processor",
        "taskwire_shared",
    }


def test_wheel_carries_types_and_licence(wheel: ZipFile) -> None:
    names = wheel.namelist()

    assert sum(name.endswith("/py.typed") for name in names) == len(COMPONENTS)
    assert any(name.endswith("/licenses/LICENSE") for name in names)


def test_base_dependencies_are_the_clients(wheel: ZipFile) -> None:
    metadata_name = next(name for name in wheel.namelist() if name.endswith("/METADATA"))
    metadata = Parser().parsestr(wheel.read(metadata_name).decode())
    base = {line.split(">")[0] for line in metadata.get_all("Requires-Dist", []) if "extra ==" not in line}

    assert base == {"googleapis-common-protos", "grpcio", "msgspec", "protobuf"}
    assert set(metadata.get_all("Provides-Extra", [])) == {"dev", "embedded", "server"}


def test_commands_are_declared_where_they_are_written() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    targets = [*project["scripts"].values(), *project["entry-points"]["taskwire.commands"].values()]
    modules = {target.split(":")[0].replace(".", "/") + ".py" for target in targets}
    missing = {m for m in modules if not any((REPOSITORY / component / m).exists() for component in COMPONENTS)}

    assert not missing


def test_wheel_holds_neither_failpoints_nor_planted_bugs(wheel: ZipFile) -> None:
    """What breaks Taskwire on purpose is kept beside it, and nothing that is shipped asks for it."""
    planted = {"taskwire_chaos", "sitecustomize", "CHAOS_", "failpoint"}

    assert not [name for name in wheel.namelist() for word in planted if word in name]
    sources = [name for name in wheel.namelist() if name.endswith(".py")]
    assert not [name for name in sources for word in planted if word in wheel.read(name).decode()]
