"""Generate the Python stubs of the API: `python protos/generate.py [FOLDER]`.

They go to `client/taskwire/v1` unless another folder is named. The import path of the stubs is the package of the
protos, which is the package of the client: nothing needs rewriting.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

PROTOS = Path(__file__).resolve().parent
STUBS_ROOT = PROTOS.parent / "client"
INIT = '"""The generated stubs of the API, package `taskwire.v1`; see `docs/api.md`."""\n'


def generate(root: Path) -> None:
    """Write the stubs below `root`, each at the path of its proto."""
    every_proto = sorted(PROTOS.glob("taskwire/**/*.proto"))
    with_services = [path for path in every_proto if path.stem.endswith("_service")]
    _protoc([f"--python_out={root}", f"--mypy_out=quiet:{root}"], every_proto)
    _protoc([f"--grpc_python_out={root}", f"--mypy_grpc_out=quiet:{root}"], with_services)
    for folder in {path.parent.relative_to(PROTOS) for path in every_proto}:
        (root / folder / "__init__.py").write_text(INIT)


def _protoc(outputs: list[str], protos: list[Path]) -> None:
    imports = [f"-I{PROTOS}", f"-I{PROTOS / 'third_party'}"]
    command = [sys.executable, "-m", "grpc_tools.protoc", *imports, *outputs, *map(str, protos)]
    subprocess.run(command, check=True, env={**os.environ, "PATH": _path_with_plugins()})  # noqa: S603 (our own words)


def _path_with_plugins() -> str:
    """Return a PATH on which protoc finds the plugins of this environment, activated or not."""
    return os.pathsep.join([sysconfig.get_path("scripts"), os.environ.get("PATH", os.defpath)])


if __name__ == "__main__":
    generate(Path(sys.argv[1]) if len(sys.argv) > 1 else STUBS_ROOT)
