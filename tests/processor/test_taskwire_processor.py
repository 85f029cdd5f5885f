"""`python -m taskwire_processor`."""

import subprocess
import sys


def test_module_is_the_command():
    said = subprocess.run(
        [sys.executable, "-m", "taskwire_processor", "--help"], capture_output=True, text=True, timeout=50, check=True
    )

    assert "taskwire processor" in said.stdout
