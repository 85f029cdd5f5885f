"""What Alembic runs: the steps, on the connection that `migrate` holds the lock with."""

from alembic import context
from sqlalchemy.dialects.postgresql.base import ischema_names

from taskwire_migrations.comparison import is_ours
from taskwire_shared.store.tables import Xid8, metadata

# SQLAlchemy does not know this type when it reads the tables of a database.
ischema_names["xid8"] = Xid8

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_name=is_ours,
    compare_server_default=False,
)
with context.begin_transaction():
    context.run_migrations()
