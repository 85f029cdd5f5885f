import os
import stat

from taskwire_dev.server import write_private


def test_a_private_file_is_private_even_when_it_was_not(tmp_path):
    file = tmp_path / "secret"
    file.write_text("old")
    file.chmod(0o644)
    old_mask = os.umask(0)
    try:
        write_private(file, "new")
    finally:
        os.umask(old_mask)

    assert file.read_text() == "new"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
