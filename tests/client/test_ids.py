"""The identifiers that the client makes are those of the service."""

import time
from uuid import UUID

from taskwire.ids import fresh_task_id
from taskwire_shared.domain import ids


def test_identifier_is_a_uuid_of_version_7_that_the_service_reads() -> None:
    before = time.time() - 0.001
    made = fresh_task_id()
    identifier = UUID(made)

    assert made == str(identifier)
    assert (identifier.version, identifier.variant) == (7, ids.new_id().variant)
    assert before <= ids.id_time(identifier).timestamp() <= time.time()


def test_identifiers_differ() -> None:
    assert len({fresh_task_id() for _ in range(10_000)}) == 10_000
