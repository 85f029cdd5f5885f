"""Storing new tasks: all of a batch or none, each once however often it is sent."""

import contextlib
from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

import asyncpg
from msgspec import Struct

from taskwire_shared.domain.task import NewTask, RetryPolicy, Task
from taskwire_shared.store.database import Database
from taskwire_shared.store.history import CHANGED_COLUMNS, NOTE_CHANGES, found_by_id
from taskwire_shared.store.rows import BASIC_COLUMNS, labels_document, read_columns, to_task

KEY_HOURS = 24
"""For so long a key stands for its task even when the task is gone."""
KNOWN_QUEUES_MAX = 100_000
"""Names remembered per process, about 10 MB. Past it the set is forgotten and learned anew."""

_NO_POLICY = RetryPolicy()
_Kind = tuple[str, str, str, int, bool | None, str | None]
"""What many tasks have in common: tenant, queue, type, priority, and of the input whether it is text and its type."""

_PLAIN_TYPES = ("uuid", "text", "text", "text", "smallint", "bytea", "bytea", "boolean", "text")
_PLAIN_NAMES = "id, tenant, queue, type, priority, request_hash, input, input_is_text, input_content_type"
_RARE_TYPES = ("timestamptz", "timestamptz", "bigint", "bigint", "bigint", "smallint", "uuid", "text")
_RARE_NAMES = (
    "schedule_at, expire_at, attempt_timeout_ms, initial_backoff_ms, max_backoff_ms, max_attempts, retry_of, labels"
)


def _new(names: str, types: tuple[str, ...]) -> str:
    arrays = ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(types, 1))
    return f"new AS MATERIALIZED (SELECT * FROM unnest({arrays}) AS new({names}))"


_NEW_PLAIN = _new(_PLAIN_NAMES, _PLAIN_TYPES)
_NEW_FULL = _new(f"{_PLAIN_NAMES}, {_RARE_NAMES}", _PLAIN_TYPES + _RARE_TYPES)
_NEW_WITH_KEYS = _new(f"{_PLAIN_NAMES}, {_RARE_NAMES}, key", (*_PLAIN_TYPES, *_RARE_TYPES, "text"))

_STATE = "CASE WHEN schedule_at > statement_timestamp() THEN 1 ELSE 2 END"
_DUE = "CASE WHEN schedule_at > statement_timestamp() THEN least(schedule_at, expire_at) ELSE expire_at END"
_TASK_PLAIN = f"""
INSERT INTO tasks AS t (created_at, updated_at, version, attempt, excused, state, {_PLAIN_NAMES})
SELECT statement_timestamp(), statement_timestamp(), 1, 0, 0, 2, {_PLAIN_NAMES} FROM new
"""
_TASK_FULL = f"""
INSERT INTO tasks AS t (created_at, updated_at, version, attempt, excused, state, due_at, {_PLAIN_NAMES}, {_RARE_NAMES})
SELECT statement_timestamp(), statement_timestamp(), 1, 0, 0, {_STATE}, {_DUE}, {_PLAIN_NAMES},
    {_RARE_NAMES}::jsonb
FROM new
"""
_EVENT_PLAIN = """
INSERT INTO task_events (task_id, at, tenant, state, version, attempt, excused)
SELECT id, statement_timestamp(), tenant, 2, 1, 0, 0 FROM new
"""
_EVENT_FULL = f"""
INSERT INTO task_events (task_id, at, tenant, state, version, attempt, excused, schedule_at)
SELECT id, statement_timestamp(), tenant, {_STATE}, 1, 0, 0, schedule_at FROM new
"""

# Of two such parts the server does the later one first. So tasks come before events, as in `CREATE_ONCE`: in the other
# order the two waited for each other when both stored the same ids.
CREATE_PLAIN = f"WITH {_NEW_PLAIN}, noted AS ({_EVENT_PLAIN}), stored AS ({_TASK_PLAIN}) SELECT statement_timestamp()"
"""For fresh tasks of known queues that carry none of the rarer fields: half the parameters. An id that exists is an
error: looking for it beforehand (ON CONFLICT) cost 2 of 13 us a task."""
CREATE_ALIKE = f"""
WITH new AS MATERIALIZED (
    SELECT given.id, $4::text AS tenant, $5::text AS queue, $6::text AS type, $7::smallint AS priority,
        given.request_hash, given.input, $8::boolean AS input_is_text, $9::text AS input_content_type
    FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS given(id, request_hash, input)
), noted AS ({_EVENT_PLAIN}), stored AS ({_TASK_PLAIN}) SELECT statement_timestamp()
"""
"""For those of one kind (see `_Kind`), as the items of a batch mostly are: a third of the arrays, and 9.2 us of the
server's time a task became 8.1."""
CREATE_FULL = f"WITH {_NEW_FULL}, noted AS ({_EVENT_FULL}), stored AS ({_TASK_FULL}) SELECT statement_timestamp()"
"""The same with every field."""

# A key whose task is gone can be used again, but a fresh one is never taken for that: the snapshot of this statement
# may be older than its task.
_KEY_IS_OVER = f"""(
    k.created_at < now() - interval '{KEY_HOURS} hours' AND NOT EXISTS (SELECT FROM tasks t WHERE t.id = k.task_id)
)"""
# A row of the same content is left alone. One of other content gets NULL into a column that refuses it, which takes the
# whole statement back: that is how a batch is all or nothing without a transaction of several round trips.
CREATE_ONCE = f"""
WITH {_NEW_WITH_KEYS}, taken AS (
    INSERT INTO idempotency_keys AS k (tenant, queue, key, task_id, request_hash)
    SELECT tenant, queue, key, id, request_hash FROM new WHERE key IS NOT NULL ORDER BY tenant, queue, key
    ON CONFLICT (tenant, queue, key) DO UPDATE SET
        task_id = excluded.task_id,
        created_at = excluded.created_at,
        request_hash = CASE WHEN {_KEY_IS_OVER} THEN excluded.request_hash END
    WHERE k.request_hash <> excluded.request_hash OR {_KEY_IS_OVER}
    RETURNING tenant, queue, key
), changed AS (
    {_TASK_FULL}
    WHERE key IS NULL OR (tenant, queue, key) IN (SELECT tenant, queue, key FROM taken)
    ORDER BY id
    ON CONFLICT (id) DO UPDATE SET request_hash = NULL
    WHERE t.tenant <> excluded.tenant OR t.request_hash <> excluded.request_hash
    RETURNING {CHANGED_COLUMNS}
), noted AS ({NOTE_CHANGES}), opened AS (
    INSERT INTO queues (tenant, name) SELECT DISTINCT tenant, queue FROM new ORDER BY tenant, queue
    ON CONFLICT (tenant, name) DO NOTHING
    RETURNING name
)
SELECT id, updated_at, NULL::text AS queue FROM changed
UNION ALL SELECT NULL::uuid, NULL::timestamptz, name FROM opened
"""
"""For tasks with keys, of queues that may not exist yet, or whose ids may exist already."""

READ_EXISTING = f"""
SELECT {read_columns(BASIC_COLUMNS)}, t.request_hash, wanted.n
FROM (
    SELECT w.n, coalesce(k.task_id, w.id) AS id
    FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[]) WITH ORDINALITY AS w(id, tenant, queue, key, n)
    LEFT JOIN idempotency_keys k ON k.tenant = w.tenant AND k.queue = w.queue AND k.key = w.key
) AS wanted
JOIN tasks t ON {found_by_id("wanted")}
ORDER BY wanted.n
"""


class ContentConflict(Exception):
    """Another task has the id or the key of one of these. Nothing was stored."""


class Creation(Struct, frozen=True):
    """What one batch has stored."""

    created_at: datetime | None
    """Of every created task; None when none is."""
    created: frozenset[UUID]
    """The others exist already, with the same content."""
    new_queues: frozenset[str]
    """Names to announce."""


class Existing(Struct, frozen=True):
    """The task that has the id or the key of a new one."""

    index: int
    """Of the new one, in the sequence that was asked about."""
    task: Task
    """As it is now, without payloads."""
    same: bool
    """Whether its content is that of the new one."""
    same_tenant: bool


class Creations:
    """Stores new tasks. Remembers which queues exist, so that the usual statement need not look."""

    def __init__(self, db: Database) -> None:
        self._db = db
        self._known_queues: set[tuple[str, str]] = set()

    async def create_tasks(self, tasks: Sequence[NewTask]) -> Creation:
        """Store `tasks`, all or none. No two of them may share an id or a key.

        A task that exists already with the same content is left alone and is not in `Creation.created`.

        Raises:
            ContentConflict: One exists already with other content, or belongs to another tenant.
            BackendUnavailable: Whether they were stored is unknown; the same call can be repeated.
        """
        tasks = sorted(tasks, key=_order)
        kinds = frozenset(map(_kind, tasks))
        if self._are_probably_new(tasks, kinds):
            with contextlib.suppress(asyncpg.UniqueViolationError):
                return await self._create_new(tasks, kinds)
        return await self._create_once(tasks)

    async def existing(self, tasks: Sequence[NewTask]) -> list[Existing]:
        """Read the tasks that have the key, or else the id, of `tasks`. Run it after `create_tasks`."""
        rows = await self._db.fetch(
            READ_EXISTING,
            [task.id for task in tasks],
            [task.tenant for task in tasks],
            [task.queue for task in tasks],
            [task.idempotency_key for task in tasks],
        )
        return [
            Existing(
                index=row["n"] - 1,
                task=to_task(row),
                same=row["request_hash"] == tasks[row["n"] - 1].request_hash,
                same_tenant=row["tenant"] == tasks[row["n"] - 1].tenant,
            )
            for row in rows
        ]

    def _are_probably_new(self, tasks: Sequence[NewTask], kinds: frozenset[_Kind]) -> bool:
        known = self._known_queues
        return all((tenant, queue) in known for tenant, queue, *_ in kinds) and all(
            task.idempotency_key is None for task in tasks
        )

    async def _create_new(self, tasks: Sequence[NewTask], kinds: frozenset[_Kind]) -> Creation:
        if not all(map(is_plain, tasks)):
            created_at = await self._db.fetchval(CREATE_FULL, *_plain_arguments(tasks), *_rare_arguments(tasks))
        elif len(kinds) > 1:
            created_at = await self._db.fetchval(CREATE_PLAIN, *_plain_arguments(tasks))
        else:
            created_at = await self._db.fetchval(CREATE_ALIKE, *_own_arguments(tasks), *next(iter(kinds)))
        return Creation(created_at=created_at, created=frozenset([task.id for task in tasks]), new_queues=frozenset())

    async def _create_once(self, tasks: Sequence[NewTask]) -> Creation:
        keys = [task.idempotency_key for task in tasks]
        try:
            rows = await self._db.fetch(CREATE_ONCE, *_plain_arguments(tasks), *_rare_arguments(tasks), keys)
        except asyncpg.NotNullViolationError as error:
            if error.column_name == "request_hash":
                raise ContentConflict from error
            raise
        self._remember(tasks)
        created = [row for row in rows if row["id"] is not None]
        return Creation(
            created_at=created[0]["updated_at"] if created else None,
            created=frozenset(row["id"] for row in created),
            new_queues=frozenset(row["queue"] for row in rows if row["id"] is None),
        )

    def _remember(self, tasks: Sequence[NewTask]) -> None:
        if len(self._known_queues) >= KNOWN_QUEUES_MAX:
            self._known_queues.clear()
        self._known_queues.update((task.tenant, task.queue) for task in tasks)


def _kind(task: NewTask) -> _Kind:
    payload = task.input
    if payload is None:
        return task.tenant, task.queue, task.type, task.priority, None, None
    return task.tenant, task.queue, task.type, task.priority, payload.is_text, payload.content_type or None


def _order(task: NewTask) -> int:
    # As UUIDs are ordered, but at an eighth of the price of comparing them as objects (1.1 us a task).
    return task.id.int


def is_plain(task: NewTask) -> bool:
    """Tell whether a task carries none of the rarer fields."""
    return (
        task.schedule_at is None
        and task.expire_at is None
        and task.retry_of is None
        and not task.labels
        and task.retry_policy == _NO_POLICY
    )


def _own_arguments(tasks: Sequence[NewTask]) -> list[list[object]]:
    return [
        [task.id for task in tasks],
        [task.request_hash for task in tasks],
        [None if task.input is None else task.input.data for task in tasks],
    ]


def _plain_arguments(tasks: Sequence[NewTask]) -> list[list[object]]:
    inputs = [task.input for task in tasks]
    return [
        [task.id for task in tasks],
        [task.tenant for task in tasks],
        [task.queue for task in tasks],
        [task.type for task in tasks],
        [task.priority for task in tasks],
        [task.request_hash for task in tasks],
        [None if payload is None else payload.data for payload in inputs],
        [None if payload is None else payload.is_text for payload in inputs],
        [None if payload is None else payload.content_type or None for payload in inputs],
    ]


def _rare_arguments(tasks: Sequence[NewTask]) -> list[list[object]]:
    policies = [task.retry_policy for task in tasks]
    return [
        [task.schedule_at for task in tasks],
        [task.expire_at for task in tasks],
        [policy.attempt_timeout_ms for policy in policies],
        [policy.initial_backoff_ms for policy in policies],
        [policy.max_backoff_ms for policy in policies],
        [policy.max_attempts for policy in policies],
        [task.retry_of for task in tasks],
        [labels_document(task.labels) for task in tasks],
    ]
