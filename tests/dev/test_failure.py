from taskwire_dev.failure import tail_of


def test_tail_is_the_last_lines(tmp_path):
    log = tmp_path / "log"
    log.write_text("\n".join(f"line {number}" for number in range(100)))

    assert tail_of(log).splitlines()[0] == "    line 88"
    assert tail_of(log).splitlines()[-1] == "    line 99"


def test_tail_of_nothing_says_so(tmp_path):
    assert "No such file" in tail_of(tmp_path / "absent")
