"""In whose name tasks are claimed."""

from collections.abc import Sequence
from uuid import UUID

from taskwire_processor.scan import Look
from taskwire_shared.domain.task import ClaimedTask
from taskwire_shared.store import claims
from taskwire_shared.store.database import Database


class Claimant:
    """A processor as its claims name it. Each method is one question to the database, which may raise as it does."""

    def __init__(
        self, db: Database, processor: UUID, *, queues: Sequence[str] | None, due_slack_seconds: float
    ) -> None:
        """Take who claims, of which queues only (None for all), and how long after an attempt's time others end it."""
        self._db = db
        self._processor = processor
        self._queues = queues
        self._slack = due_slack_seconds

    async def claim_rung(self, ids: Sequence[UUID], types: Sequence[str], room: int) -> list[ClaimedTask]:
        """Claim those of `ids` that are of `types`, up to `room`."""
        return await claims.claim_rung(self._db, self._processor, ids, types, room, self._slack)

    async def claim_waiting(self, types: Sequence[str], room: int, look: Look) -> list[ClaimedTask]:
        """Claim what waits, of `types` and within `look`, up to `room`. Raises CutOff."""
        return await claims.claim_waiting(
            self._db, self._processor, self._queues, types, room, look.ids, self._slack, seconds=look.seconds
        )

    async def still_waiting(self, ids: Sequence[UUID]) -> frozenset[UUID]:
        """Return those of `ids` that somebody could claim."""
        return await claims.still_waiting(self._db, ids)
