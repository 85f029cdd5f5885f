"""The tables, as SQLAlchemy sees them: what Alembic compares the database with, and what lists are built from.

The order of the columns is that of their width, so that rows carry little padding. The statements that run thousands of
times a second are written out beside their use and run by asyncpg.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Double,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    PrimaryKeyConstraint,
    Sequence,
    SmallInteger,
    Table,
    Text,
    Uuid,
    false,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.types import UserDefinedType

from taskwire_shared.domain.task import TaskState

S = TaskState

metadata = MetaData(
    naming_convention={"pk": "%(table_name)s_pkey", "ck": "%(table_name)s_%(constraint_name)s_check"},
)


class Xid8(UserDefinedType[int]):
    """The 64-bit number of a transaction."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type."""
        return "xid8"


def _moment(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


tasks = Table(
    "tasks",
    metadata,
    Column("id", Uuid, nullable=False),
    _moment("created_at", nullable=False),
    _moment("updated_at", nullable=False),
    _moment("due_at"),
    _moment("schedule_at"),
    _moment("expire_at"),
    _moment("started_at"),
    _moment("finished_at"),
    _moment("cancel_requested_at"),
    _moment("progress_at"),
    Column("progress_fraction", Double),
    Column("attempt_timeout_ms", BigInteger),
    Column("initial_backoff_ms", BigInteger),
    Column("max_backoff_ms", BigInteger),
    Column("version", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("excused", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("priority", SmallInteger, nullable=False),
    Column("max_attempts", SmallInteger),
    Column("input_is_text", Boolean),
    Column("output_is_text", Boolean),
    Column("processor", Uuid),
    Column("retry_of", Uuid),
    Column("tenant", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("type", Text, nullable=False),
    # Also how a conflict is raised: see `creations`.
    Column("request_hash", LargeBinary, nullable=False),
    Column("input_content_type", Text),
    Column("input", LargeBinary),
    Column("labels", JSONB),
    Column("output_content_type", Text),
    Column("output", LargeBinary),
    Column("failure", JSONB),
    Column("last_failure", JSONB),
    Column("progress_message", Text),
    Column("cancel_reason", Text),
    PrimaryKeyConstraint("id"),
    CheckConstraint("state BETWEEN 1 AND 6 AND priority BETWEEN 1 AND 3 AND version >= 1", name="range"),
    CheckConstraint("excused >= 0 AND excused <= attempt", name="attempt"),
    CheckConstraint(
        "state <> 3 OR (processor IS NOT NULL AND started_at IS NOT NULL AND attempt > excused)", name="running"
    ),
    CheckConstraint("(state >= 4) = (finished_at IS NOT NULL) AND (state < 4 OR due_at IS NULL)", name="finished"),
    CheckConstraint("(state = 5) = (failure IS NOT NULL) AND (state = 4 OR output IS NULL)", name="outcome"),
    CheckConstraint("state <> 1 OR due_at IS NOT NULL", name="scheduled"),
    Index("tasks_waiting", "queue", "type", text("priority DESC"), "id", postgresql_where=text("state = 2")),
    Index("tasks_due", "due_at", postgresql_where=text("due_at IS NOT NULL")),
    Index("tasks_running", "processor", postgresql_where=text("state = 3")),
    Index("tasks_unsuccessful", "id", postgresql_where=text("state IN (5, 6)")),
    postgresql_partition_by="RANGE (id)",
)

task_events_seq = Sequence("task_events_seq", metadata=metadata)

task_events = Table(
    "task_events",
    metadata,
    Column("task_id", Uuid, nullable=False),
    _moment("at", nullable=False),
    _moment("schedule_at"),
    _moment("started_at"),
    _moment("cancel_requested_at"),
    Column("xid", Xid8, nullable=False, server_default=func.pg_current_xact_id()),
    Column("seq", BigInteger, nullable=False, server_default=task_events_seq.next_value()),
    Column("version", Integer, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("excused", Integer, nullable=False),
    Column("state", SmallInteger, nullable=False),
    Column("processor", Uuid),
    Column("tenant", Text, nullable=False),
    Column("failure", JSONB),
    Column("last_failure", JSONB),
    PrimaryKeyConstraint("task_id", "version"),
    Index("task_events_xid", "xid"),
    postgresql_partition_by="RANGE (task_id)",
)

processors = Table(
    "processors",
    metadata,
    Column("id", Uuid, nullable=False),
    _moment("started_at", nullable=False),
    _moment("lease_until", nullable=False),
    Column("concurrency", Integer, nullable=False),
    Column("queues", ARRAY(Text)),
    Column("types", ARRAY(Text), nullable=False),
    Column("host", Text, nullable=False),
    PrimaryKeyConstraint("id"),
)

queues = Table(
    "queues",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("paused", Boolean, nullable=False, server_default=false()),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    PrimaryKeyConstraint("tenant", "name"),
    Index("queues_paused", "tenant", "name", postgresql_where=text("paused")),
)

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("tenant", Text, nullable=False),
    Column("queue", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("task_id", Uuid, nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=func.now()),
    # Also how a conflict is raised: see `creations`.
    Column("request_hash", LargeBinary, nullable=False),
    PrimaryKeyConstraint("tenant", "queue", "key"),
    Index("idempotency_keys_created_at", "created_at"),
)

installation = Table(
    "installation",
    metadata,
    Column("singleton", Boolean, nullable=False, server_default=text("true")),
    Column("incarnation", Uuid, nullable=False, server_default=func.gen_random_uuid()),
    Column("token_secret", LargeBinary, nullable=False),
    Column("feed_floor", Xid8, nullable=False, server_default=text("'0'::xid8")),
    PrimaryKeyConstraint("singleton"),
    CheckConstraint("singleton", name="singleton"),
    CheckConstraint("length(token_secret) = 32", name="token_secret"),
)
