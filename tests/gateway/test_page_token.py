"""Page tokens are bound to the call that returned them."""

import pytest

from taskwire_gateway.page_token import QueuePageTokens, TaskPageTokens
from taskwire_gateway.seal import Seal
from taskwire_shared.domain.errors import InvalidFields
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.selector import EVERY_TASK, TaskSelector

SEAL = Seal(b"s" * 32)


def test_a_token_of_tasks_opens_with_the_same_fields_only():
    last = new_id()
    token = TaskPageTokens(SEAL, "t", EVERY_TASK, 1).make(last)
    assert TaskPageTokens(SEAL, "t", EVERY_TASK, 1).open(token) == last
    assert TaskPageTokens(SEAL, "t", EVERY_TASK, 1).open("") is None
    for other in (
        TaskPageTokens(SEAL, "u", EVERY_TASK, 1),
        TaskPageTokens(SEAL, "t", TaskSelector(types=frozenset({"echo"})), 1),
        TaskPageTokens(SEAL, "t", EVERY_TASK, 2),
        QueuePageTokens(SEAL, "t"),
    ):
        with pytest.raises(InvalidFields) as caught:
            other.open(token)
        assert [violation.field for violation in caught.value.violations] == ["page_token"]


def test_a_token_of_queues_opens_for_its_tenant_only():
    token = QueuePageTokens(SEAL, "t").make("mail")
    assert QueuePageTokens(SEAL, "t").open(token) == "mail"
    for other in (QueuePageTokens(SEAL, "u"), TaskPageTokens(SEAL, "t", EVERY_TASK, 1)):
        with pytest.raises(InvalidFields):
            other.open(token)
