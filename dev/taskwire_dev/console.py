"""Talking to whoever started the program, who may have left."""

import os
import sys
from contextlib import suppress
from typing import TextIO


class Console:
    """Writes lines to a stream. A stream that is gone (a closed pipe or terminal) is no reason to stop serving."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._lines_drawn = 0

    @property
    def is_terminal(self) -> bool:
        """Tell whether a person may be looking, and lines can be drawn over."""
        with suppress(ValueError):
            return self._stream.isatty()
        return False

    def say(self, text: str) -> None:
        """Write lines, below whatever has been drawn."""
        self._lines_drawn = 0
        self._write(f"{text}\n")

    def draw(self, lines: list[str]) -> None:
        """Write lines over those drawn before. For terminals."""
        up = f"\x1b[{self._lines_drawn}F" if self._lines_drawn else ""
        self._lines_drawn = len(lines)
        self._write(up + "".join(f"{line}\x1b[K\n" for line in lines))

    def _write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()


def leave_quietly() -> None:
    """Keep the interpreter from complaining at its exit about a stdout that is gone."""
    with suppress(OSError, ValueError):
        sys.stdout.flush()
        return
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
