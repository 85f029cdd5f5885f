"""`taskwire verify` on a system at work, and after it: nothing is found where nothing is wrong."""

import asyncio
import json
import sys
from collections.abc import Callable
from typing import Any

import pytest

from taskwire.client import Client
from taskwire_dev.demo.orders import make_orders
from taskwire_dev.stack import Stack
from taskwire_shared.settings import Settings

_TASKS = 100
_END_SECONDS = 60.0
_VERIFY_SECONDS = 60.0


async def _verified(settings: Settings) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "import sys; from taskwire.cli.main import main; sys.exit(main())",
        "verify",
        "--json",
        env=settings.as_environment(),
        stdout=asyncio.subprocess.PIPE,
    )
    async with asyncio.timeout(_VERIFY_SECONDS):
        out, _ = await process.communicate()
    report: dict[str, Any] = json.loads(out)
    flawed = [check for check in report["checks"] if check["violations"] or check["warnings"]]
    assert not flawed, out.decode()
    assert process.returncode == 0
    return report


@pytest.mark.timeout(200)
async def test_nothing_is_found_on_a_healthy_system_while_it_works_and_afterwards(
    stack: Stack, connect: Callable[[str], Client], settings: Callable[..., Settings]
) -> None:
    client = connect((await stack.gateway()).ready.grpc)
    await stack.processor()
    orders = make_orders(_TASKS, "verify")
    # A task that nobody can run is a warning, as it should be.
    orders = [order for order in orders if order.kind.name != "expiring"]
    await client.create_many([order.task for order in orders])

    during = asyncio.create_task(_verified(settings()))
    for order in orders:
        if order.kind.cancelled:
            await client.cancel(order.task_id)
    await during
    async with asyncio.timeout(_END_SECONDS):
        ends = [(await client.wait(order.task_id)).state for order in orders]
    report = await _verified(settings())

    assert ends == [order.kind.ends for order in orders]
    assert report["tasks"] == len(orders)
    assert report["rings"] == 0
