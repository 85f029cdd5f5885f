"""What `import taskwire` gives."""

import subprocess
import sys

import pytest

import taskwire


@pytest.mark.parametrize("name", ["errors", "Client", "Selector"])
def test_every_name_is_there_after_the_import_alone(name: str) -> None:
    check = f"import taskwire; taskwire.{name}"
    assert subprocess.run([sys.executable, "-c", check], timeout=50, check=False).returncode == 0


def test_other_names_are_not() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = taskwire.nothing
