"""Values that are where programs break."""

import random
from collections.abc import Callable

from taskwire_shared.domain import limits

STRINGS = (
    "",
    "\x00",
    "a\x00b",
    "\x01\x1f\x7f\x80\x9f",
    "\r\n\r\nHTTP/1.1 200 OK\r\n",
    "\u202egnirts\u202c\u2066\u2069",
    "e" + "\u0301" * 500,
    "\U0010ffff\U0001f468\u200d\U0001f469\u200d\U0001f467",
    "\ufeff\ufffe\uffff",
    "ﷺ" * 100,
    "' OR 1=1; DROP TABLE tasks; --",
    "$1 %s {0} {{x}} ${env}",
    "../../../../etc/passwd",
    "\\u0000\\x00\\",
    "\x1b[2J\x1b]0;title\x07",
    "<script>alert(1)</script>",
    "=cmd|'/c calc'!A1",
    "İıſK",
    "NaN",
    "null",
    "*",
    ">",
    "a.b.*.>",
    "-",
    "default",
    "DEFAULT",
)

BROKEN_UTF8 = (
    # A lone surrogate of each kind, too long forms of "/" and NUL, beyond the last character, cut off, not a start.
    b"\xed\xa0\x80",
    b"\xed\xbf\xbf",
    b"\xc0\xaf",
    b"\xc0\x80",
    b"\xf4\x90\x80\x80",
    b"\xe2\x82",
    b"\x80",
    b"\xff\xfe",
)

INTEGERS = (0, 1, -1, 2, 7, 127, 128, 255, 32767, 32768, 65535, 2**31 - 1, 2**31, -(2**31), 2**32, 2**53, 2**63 - 1)
SECONDS = (
    *(0, 1, -1, 59, 86_400, limits.DURATION_SECONDS_MAX, limits.DURATION_SECONDS_MAX + 1, 253_402_300_799),
    *(253_402_300_800, -62_135_596_800, -62_135_596_801, 315_576_000_000, 315_576_000_001, 2**63 - 1, -(2**63)),
)
NANOS = (0, 1, -1, 999_999_999, 1_000_000_000, -999_999_999, 2**31 - 1, -(2**31))
LENGTHS = (
    *(limits.QUEUE_CHARS_MAX, limits.TYPE_CHARS_MAX, limits.CONTENT_TYPE_CHARS_MAX, limits.LABEL_VALUE_CHARS_MAX),
    *(limits.IDEMPOTENCY_KEY_CHARS_MAX, limits.CANCEL_REASON_CHARS_MAX, limits.RESUME_TOKEN_CHARS_MAX, 10_000),
)
LETTERS = ("a", "é", "\U0001f480", "\u0301", " ")

_MAKERS: tuple[Callable[[random.Random], str], ...] = (
    lambda rng: rng.choice(STRINGS),
    lambda rng: rng.choice(STRINGS) * rng.randint(2, 40),
    lambda rng: rng.choice(LETTERS) * (rng.choice(LENGTHS) + rng.randint(-1, 1)),
    lambda rng: "".join(chr(rng.choice([rng.randrange(0xD800), rng.randrange(0xE000, 0x110000)])) for _ in range(20)),
)


def string(rng: random.Random) -> str:
    """Make a text that protobuf takes."""
    return rng.choice(_MAKERS)(rng)


def integer(rng: random.Random, bits: int, *, signed: bool) -> int:
    """Make a number that fits a field of so many bits."""
    least, most = (-(1 << bits - 1), (1 << bits - 1) - 1) if signed else (0, (1 << bits) - 1)
    return min(max(rng.choice(INTEGERS), least), most)
