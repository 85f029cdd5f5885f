"""What this database is, so that nobody takes it for another one or for its own past."""

from msgspec import Struct

from taskwire_shared.store.database import Database

# A restore of the files keeps the rows and the system identifier, but begins a new timeline; one from a dump keeps the
# rows, but makes a new database.
INCARNATION = """
incarnation::text || ':' || (SELECT system_identifier FROM pg_control_system()) || ':'
    || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || ':'
    || (SELECT oid FROM pg_database WHERE datname = current_database())
"""
"""What a row of `installation` is called, in this server and at this time."""
INSTALLATION = f"""
SELECT token_secret, {INCARNATION} AS incarnation FROM installation
"""


class Installation(Struct, frozen=True):
    """The identity of a database."""

    token_secret: bytes
    """32 bytes to sign tokens with, the same for all gateways."""
    incarnation: str
    """Differs for every database and after every restore of the same one: positions of another are worthless."""


async def read_installation(db: Database) -> Installation:
    """Return the identity of the database. Raises BackendUnavailable when it does not answer."""
    row = await db.fetchrow(INSTALLATION)
    assert row is not None
    return Installation(token_secret=row["token_secret"], incarnation=row["incarnation"])
