"""A NATS cluster: servers that route to each other and keep what is replicated."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import msgspec
import nats as nats_client
import nats.errors
from msgspec import Struct

from taskwire_dev.children import Command
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.ports import LOOPBACK, free_port_near
from taskwire_dev.server import write_private

_NAME = "chaos"
_ASK_SECONDS = 2.0


class _Placement(Struct):
    leader: str = ""


class _Stream(Struct):
    cluster: _Placement | None = None


class Node(EmbeddedNats):
    """One server of a cluster. All have the same password."""

    def __init__(self, folder: Path, name: str, route_port: int, others: Sequence[int]) -> None:
        super().__init__(folder)
        self.name = name
        self._route_port = route_port
        self._others = others

    def _command(self) -> Command:
        command = super()._command()
        file = self.folder / "nats.conf"
        settings = json.loads(file.read_text())
        settings["server_name"] = self.name
        settings["cluster"] = {
            "name": _NAME,
            "listen": f"{LOOPBACK}:{self._route_port}",
            "routes": [f"nats-route://{LOOPBACK}:{port}" for port in self._others],
            # Clients are to stay on the links that they were given.
            "no_advertise": True,
        }
        write_private(file, json.dumps(settings, indent=2))
        return command


async def start_cluster(stack: AsyncExitStack, folder: Path, count: int) -> list[EmbeddedNats]:
    """Start the servers of a cluster; they stop with `stack`."""
    ports = [free_port_near(None) for _ in range(count)]
    nodes: list[EmbeddedNats] = []
    for number, port in enumerate(ports, 1):
        home = folder / f"nats-{number}"
        home.mkdir(parents=True)
        if nodes:
            write_private(home / "password", nodes[0].password)
        node = Node(home, f"NATS-{number}", port, [other for other in ports if other != port])
        nodes.append(await stack.enter_async_context(node))
    return nodes


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
