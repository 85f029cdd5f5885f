"""Carries out attacks, each on a connection of its own."""

import asyncio
import contextlib
import random

from taskwire_chaos.abuse.attacks import ATTACKS
from taskwire_chaos.abuse.inputs import Attack

PAUSE_SECONDS = 0.1
"""How long an answer is waited for, within an attack and at its end."""
SECONDS_MAX = 60.0
READ_BYTES = 65_536
REFUSED, CLOSED, ANSWERED, SILENT, HANG = "REFUSED", "CLOSED", "ANSWERED", "SILENT", "HANG"


async def carry_out(attack: Attack, host: str, port: int) -> str:
    """Send what the attack says, and return what became of the connection."""
    try:
        async with asyncio.timeout(SECONDS_MAX):
            return await _carry_out(attack, host, port)
    except TimeoutError:
        return HANG


async def _carry_out(attack: Attack, host: str, port: int) -> str:
    try:
        reader, writer = await asyncio.open_connection(host, port)
    except OSError:
        return REFUSED
    rng = random.Random(attack.seed)  # noqa: S311
    heard = b""
    try:
        for piece in ATTACKS[attack.name](rng):
            if piece:
                writer.write(piece)
                await writer.drain()
            else:
                heard += await _hear(reader)
        heard += await _hear(reader)
        return CLOSED if reader.at_eof() else ANSWERED if heard else SILENT
    except OSError:
        return CLOSED
    finally:
        # Half of them leave without a word, and with what they have not read.
        writer.transport.abort() if rng.random() < 0.5 else writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def _hear(reader: asyncio.StreamReader) -> bytes:
    """Read what is there, and for a little longer."""
    heard = b""
    try:
        async with asyncio.timeout(PAUSE_SECONDS):
            while piece := await reader.read(READ_BYTES):
                heard = piece
    except TimeoutError:
        pass
    return heard
