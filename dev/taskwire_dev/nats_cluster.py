"""A cluster of NATS servers from a wheel: they route to each other and keep what is replicated."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from taskwire_dev.children import Command
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.ports import LOOPBACK, free_port_near
from taskwire_dev.server import write_private

_NAME = "taskwire-embedded"


class NatsNode(EmbeddedNats):
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
    """Start the servers of a cluster, each in a folder below `folder`; they stop with `stack`."""
    ports = [free_port_near(None) for _ in range(count)]
    nodes: list[EmbeddedNats] = []
    for number, port in enumerate(ports, 1):
        home = folder / f"nats-{number}"
        home.mkdir(parents=True)
        if nodes:
            write_private(home / "password", nodes[0].password)
        node = NatsNode(home, f"NATS-{number}", port, [other for other in ports if other != port])
        nodes.append(await stack.enter_async_context(node))
    return nodes
