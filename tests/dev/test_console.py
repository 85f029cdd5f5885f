import io
import os

from taskwire_dev.console import Console


def test_lines_are_drawn_over_those_before():
    stream = io.StringIO()
    console = Console(stream)

    console.draw(["a", "b"])
    console.draw(["c", "d"])

    assert stream.getvalue() == "a\x1b[K\nb\x1b[K\n\x1b[2Fc\x1b[K\nd\x1b[K\n"


def test_what_is_said_stays():
    stream = io.StringIO()
    console = Console(stream)

    console.draw(["a"])
    console.say("said")
    console.draw(["b"])

    assert stream.getvalue() == "a\x1b[K\nsaid\nb\x1b[K\n"


def test_a_reader_that_has_left_does_not_matter():
    reading, writing = os.pipe()
    os.close(reading)
    stream = os.fdopen(writing, "w")
    Console(stream).say("nobody hears this")
    Console(stream).say("nor this")
    # Closing would try to write it once more.
    os.dup2(os.open(os.devnull, os.O_WRONLY), writing)
    stream.close()
    Console(stream).say("and this goes to a stream that is closed")

    assert not Console(stream).is_terminal
