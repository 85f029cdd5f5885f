"""Make the tables: tasks, their events, and what belongs to them.

Revision ID: 0001
Revises:
"""

from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

# The columns of a partitioned table are in the order of their width, so that rows carry little padding. Days are
# attached by `taskwire_shared.store.partitions`; a row without a day is refused.
_TASKS = """
CREATE TABLE tasks (
    id                  uuid        NOT NULL,
    created_at          timestamptz NOT NULL,
    updated_at          timestamptz NOT NULL,
    due_at              timestamptz,
    schedule_at         timestamptz,
    expire_at           timestamptz,
    started_at          timestamptz,
    finished_at         timestamptz,
    cancel_requested_at timestamptz,
    progress_at         timestamptz,
    progress_fraction   double precision,
    attempt_timeout_ms  bigint,
    initial_backoff_ms  bigint,
    max_backoff_ms      bigint,
    version             integer     NOT NULL,
    attempt             integer     NOT NULL,
    excused             integer     NOT NULL,
    state               smallint    NOT NULL,
    priority            smallint    NOT NULL,
    max_attempts        smallint,
    input_is_text       boolean,
    output_is_text      boolean,
    processor           uuid,
    retry_of            uuid,
    tenant              text        NOT NULL,
    queue               text        NOT NULL,
    type                text        NOT NULL,
    request_hash        bytea       NOT NULL,
    input_content_type  text,
    input               bytea,
    labels              jsonb,
    output_content_type text,
    output              bytea,
    failure             jsonb,
    last_failure        jsonb,
    progress_message    text,
    cancel_reason       text,
    CONSTRAINT tasks_pkey PRIMARY KEY (id),
    CONSTRAINT tasks_range_check CHECK (state BETWEEN 1 AND 6 AND priority BETWEEN 1 AND 3 AND version >= 1),
    CONSTRAINT tasks_attempt_check CHECK (excused >= 0 AND excused <= attempt),
    CONSTRAINT tasks_running_check CHECK (
        state <> 3 OR (processor IS NOT NULL AND started_at IS NOT NULL AND attempt > excused)
    ),
    CONSTRAINT tasks_finished_check CHECK (
        (state >= 4) = (finished_at IS NOT NULL) AND (state < 4 OR due_at IS NULL)
    ),
    CONSTRAINT tasks_outcome_check CHECK ((state = 5) = (failure IS NOT NULL) AND (state = 4 OR output IS NULL)),
    CONSTRAINT tasks_scheduled_check CHECK (state <> 1 OR due_at IS NOT NULL)
) PARTITION BY RANGE (id)
"""

_TASK_EVENTS = """
CREATE TABLE task_events (
    task_id             uuid        NOT NULL,
    at                  timestamptz NOT NULL,
    schedule_at         timestamptz,
    started_at          timestamptz,
    cancel_requested_at timestamptz,
    xid                 xid8        NOT NULL DEFAULT pg_current_xact_id(),
    seq                 bigint      NOT NULL DEFAULT nextval('task_events_seq'),
    version             integer     NOT NULL,
    attempt             integer     NOT NULL,
    excused             integer     NOT NULL,
    state               smallint    NOT NULL,
    processor           uuid,
    tenant              text        NOT NULL,
    failure             jsonb,
    last_failure        jsonb,
    CONSTRAINT task_events_pkey PRIMARY KEY (task_id, version)
) PARTITION BY RANGE (task_id)
"""

_PROCESSORS = """
CREATE TABLE processors (
    id          uuid        NOT NULL CONSTRAINT processors_pkey PRIMARY KEY,
    started_at  timestamptz NOT NULL,
    lease_until timestamptz NOT NULL,
    concurrency integer     NOT NULL,
    queues      text[],
    types       text[]      NOT NULL,
    host        text        NOT NULL
)
"""

_QUEUES = """
CREATE TABLE queues (
    tenant     text        NOT NULL,
    name       text        NOT NULL,
    paused     boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT queues_pkey PRIMARY KEY (tenant, name)
)
"""

_IDEMPOTENCY_KEYS = """
CREATE TABLE idempotency_keys (
    tenant       text        NOT NULL,
    queue        text        NOT NULL,
    key          text        NOT NULL,
    task_id      uuid        NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    request_hash bytea       NOT NULL,
    CONSTRAINT idempotency_keys_pkey PRIMARY KEY (tenant, queue, key)
)
"""

_INSTALLATION = """
CREATE TABLE installation (
    singleton    boolean NOT NULL DEFAULT true CONSTRAINT installation_pkey PRIMARY KEY,
    incarnation  uuid    NOT NULL DEFAULT gen_random_uuid(),
    token_secret bytea   NOT NULL,
    feed_floor   xid8    NOT NULL DEFAULT '0'::xid8,
    CONSTRAINT installation_singleton_check CHECK (singleton),
    CONSTRAINT installation_token_secret_check CHECK (length(token_secret) = 32)
)
"""

# Two random UUIDs carry 244 random bits; their digest is the 32 bytes that tokens are signed with.
_INSTALL = """
INSERT INTO installation (token_secret)
VALUES (sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid())))
"""

_UP = (
    _TASKS,
    "CREATE INDEX tasks_waiting ON tasks (queue, type, priority DESC, id) WHERE state = 2",
    "CREATE INDEX tasks_due ON tasks (due_at) WHERE due_at IS NOT NULL",
    "CREATE INDEX tasks_running ON tasks (processor) WHERE state = 3",
    "CREATE INDEX tasks_unsuccessful ON tasks (id) WHERE state IN (5, 6)",
    "CREATE SEQUENCE task_events_seq",
    _TASK_EVENTS,
    "CREATE INDEX task_events_xid ON task_events (xid)",
    _PROCESSORS,
    _QUEUES,
    "CREATE INDEX queues_paused ON queues (tenant, name) WHERE paused",
    _IDEMPOTENCY_KEYS,
    "CREATE INDEX idempotency_keys_created_at ON idempotency_keys (created_at)",
    _INSTALLATION,
    _INSTALL,
)

_DOWN = (
    "DROP TABLE installation",
    "DROP TABLE idempotency_keys",
    "DROP TABLE queues",
    "DROP TABLE processors",
    "DROP TABLE task_events",
    "DROP SEQUENCE task_events_seq",
    "DROP TABLE tasks",
)


def upgrade() -> None:
    """Make the tables."""
    for statement in _UP:
        op.execute(statement)


def downgrade() -> None:
    """Drop the tables, and with them every task."""
    for statement in _DOWN:
        op.execute(statement)
