"""The partitioner: makes the days to come, lets old ones go, and forgets what belonged to them."""

from datetime import timedelta

from taskwire_shared.store.database import Database
from taskwire_shared.store.keys import purge_keys
from taskwire_shared.store.partitions import ensure_partitions
from taskwire_shared.store.reaps import bury
from taskwire_shared.store.retention import forget_old_tasks
from taskwire_shared.telemetry import logs
from taskwire_shared.telemetry.events import Event
from taskwire_shared.upkeep.rounds import jittered, repeat

PAUSE_SECONDS = 600.0
"""Between two rounds of one process."""

log = logs.get(__name__)


class Partitioner:
    """A loop that never ends. Many may run at once."""

    def __init__(self, db: Database, *, retention_days: int) -> None:
        self._db = db
        self._retention = timedelta(days=retention_days)

    async def run(self) -> None:
        """Keep the days until cancelled. Outages of the database are waited out."""
        await repeat(self.keep_days, Event.UPKEEP_FAILED)

    async def keep_days(self) -> float:
        """Do one round, and return after how many seconds to do the next."""
        made = await ensure_partitions(self._db)
        if made:
            log.info(Event.PARTITIONS_MADE, tables=made)
        forgotten = await forget_old_tasks(self._db, retention=self._retention)
        for table in forgotten.days:
            log.info(Event.PARTITION_DROPPED, table=table)
        await purge_keys(self._db, retention=self._retention)
        await bury(self._db)
        return jittered(PAUSE_SECONDS)
