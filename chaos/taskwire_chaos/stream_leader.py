"""Who leads in a NATS cluster."""

from collections.abc import Sequence

import msgspec
import nats as nats_client
import nats.errors
from msgspec import Struct

from taskwire_dev.nats import EmbeddedNats

_ASK_SECONDS = 2.0


class _Placement(Struct):
    leader: str = ""


class _Stream(Struct):
    cluster: _Placement | None = None


async def leader_of(nodes: Sequence[EmbeddedNats], stream: str) -> EmbeddedNats | None:
    """Return the server that leads a stream, or None when nobody says so."""
    for node in nodes:
        try:
            client = await nats_client.connect(node.url, allow_reconnect=False, connect_timeout=1, error_cb=_ignore)
        except (nats.errors.Error, OSError, TimeoutError):
            continue
        try:
            answer = await client.request(f"$JS.API.STREAM.INFO.{stream}", b"", timeout=_ASK_SECONDS)
        except (nats.errors.Error, OSError, TimeoutError):
            continue
        finally:
            await client.close()
        found = msgspec.json.decode(answer.data, type=_Stream).cluster
        return next((one for one in nodes if found is not None and one.name == found.leader), None)
    return None


async def _ignore(_: Exception) -> None:
    """Say nothing: servers are killed all the time."""
