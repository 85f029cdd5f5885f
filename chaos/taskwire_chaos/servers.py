"""Starts the servers of a site: Postgres, maybe with a standby, and NATS, maybe a cluster; maybe on small disks."""

import os
import shutil
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from msgspec import Struct

from taskwire_chaos.layout import RunFolder
from taskwire_chaos.shape import Shape
from taskwire_chaos.small_disks import SmallDisk, mount_small, unmount
from taskwire_chaos.standby import copy_to_standby
from taskwire_dev.nats import EmbeddedNats
from taskwire_dev.nats_cluster import start_cluster
from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_migrations.migrate import upgrade

CONNECTIONS_MAX = 60
"""Of Postgres."""
NATS_MEBIBYTES = 96
LOG_MEBIBYTES = 384
_SMALL_LOG = {"max_wal_size": "192MB", "min_wal_size": "32MB"}
"""Of the write-ahead log, so that it fits its disk, and few segments are laid out in advance."""


class Servers(Struct, frozen=True, kw_only=True):
    """What was started."""

    postgres: EmbeddedPostgres
    standby: EmbeddedPostgres | None
    nats_nodes: Sequence[EmbeddedNats]
    nats_disk: SmallDisk | None
    postgres_disk: SmallDisk | None
    remarks: Sequence[str]
    """What the reader of a report should know of them."""


async def start_servers(stack: AsyncExitStack, folder: RunFolder, shape: Shape) -> Servers:
    """Start what `shape` says, with the tables in place. Everything stops with `stack`."""
    settings = {"max_connections": str(CONNECTIONS_MAX), **(_SMALL_LOG if shape.small_disks else {}), **shape.postgres}
    postgres = EmbeddedPostgres(folder.servers / "postgres", settings=settings)
    await stack.enter_async_context(postgres)
    postgres_disk = await _move_log(stack, postgres, folder) if shape.small_disks else None
    nodes, nats_disk = await _start_nats(stack, folder, shape)
    await upgrade(postgres.url("postgres"))
    standby = None
    if shape.standby:
        standby = EmbeddedPostgres(folder.servers / "standby", settings=settings)
        stack.push_async_callback(standby.stop)
        await copy_to_standby(postgres, standby)
    remarks = (
        f"store of NATS: {nats_disk or 'no disk of its own, its files may not grow instead'}",
        f"log of Postgres: {postgres_disk or 'no disk of its own, a full one is not tried'}",
    )
    return Servers(
        postgres=postgres,
        standby=standby,
        nats_nodes=nodes,
        nats_disk=nats_disk,
        postgres_disk=postgres_disk,
        remarks=remarks if shape.small_disks else (),
    )


async def _start_nats(
    stack: AsyncExitStack, folder: RunFolder, shape: Shape
) -> tuple[Sequence[EmbeddedNats], SmallDisk | None]:
    if shape.nats_nodes > 1:
        return await start_cluster(stack, folder.servers, shape.nats_nodes), None
    nats = EmbeddedNats(folder.servers / "nats")
    disk = _mount(stack, nats.home, NATS_MEBIBYTES) if shape.small_disks else None
    await stack.enter_async_context(nats)
    return [nats], disk


def _mount(stack: AsyncExitStack, folder: Path, mebibytes: int) -> SmallDisk | None:
    disk = mount_small(folder, mebibytes)
    if disk is not None:
        stack.callback(unmount, disk)
    return disk


async def _move_log(stack: AsyncExitStack, postgres: EmbeddedPostgres, folder: RunFolder) -> SmallDisk | None:
    """Move the write-ahead log to a disk of its own."""
    disk = _mount(stack, folder.servers / "log", LOG_MEBIBYTES)
    if disk is None:
        return None
    await postgres.stop()
    log, moved = postgres.home / "pg_wal", disk.folder / "pg_wal"
    owner = log.stat()
    shutil.move(log, moved)
    for path in (moved, *moved.rglob("*")):
        os.chown(path, owner.st_uid, owner.st_gid)
    log.symlink_to(moved)
    # Stopped before everything on the disk is gone.
    stack.push_async_callback(postgres.stop)
    await postgres.start()
    return disk
