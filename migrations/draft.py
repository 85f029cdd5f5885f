"""Draft the next migration from the tables that the code knows: `make migration NAME="Give a queue a colour"`.

A Postgres of its own is brought up to date for the comparison.
"""

import asyncio
import sys
import tempfile
from pathlib import Path

from taskwire_dev.postgres import EmbeddedPostgres
from taskwire_migrations import migrate
from taskwire_migrations.draft import draft


async def main(title: str) -> int:
    """Write the draft and say where."""
    with tempfile.TemporaryDirectory() as folder:
        async with EmbeddedPostgres(Path(folder)) as postgres:
            url = postgres.url("postgres")
            await migrate.upgrade(url)
            path = await draft(url, title)
    print(f"Wrote {path}: read it, complete it." if path else "The tables are what the migrations make: nothing to do.")
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(sys.argv[1])))
