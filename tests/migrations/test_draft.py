"""Drafting a migration from the difference between the tables of a database and those that the code knows."""

from pathlib import Path

import asyncpg

from taskwire_migrations.draft import draft


async def test_nothing_is_written_where_nothing_differs(database_url: str, tmp_path: Path) -> None:
    assert await draft(database_url, "Nothing", tmp_path) is None
    assert not list(tmp_path.iterdir())


async def test_a_missing_column_is_found(database_url: str, tmp_path: Path) -> None:
    connection = await asyncpg.connect(database_url)
    await connection.execute("ALTER TABLE queues DROP COLUMN paused")
    await connection.close()

    written = await draft(database_url, "Let queues pause", tmp_path)

    assert written is not None
    assert written.parent == tmp_path
    assert written.name.endswith("_let_queues_pause.py")
    text = written.read_text()
    assert 'op.add_column("queues"' in text.replace("'", '"')
    assert 'op.drop_column("queues"' in text.replace("'", '"')
    compile(text, written.name, "exec")
