from collections import Counter

import pytest

from taskwire.task import TaskState
from taskwire_dev.demo.orders import KINDS, make_orders


@pytest.mark.parametrize("count", [20, 500])
def test_every_kind_has_its_share(count):
    shares = Counter(order.kind.name for order in make_orders(count, "run"))

    assert shares == {kind.name: kind.share * count // 20 for kind in KINDS}


def test_every_task_is_named_and_labelled():
    orders = make_orders(40, "run")

    assert len({order.task_id for order in orders}) == 40
    assert all(order.task.labels == {"demo": "run"} and order.task.task_id == order.task_id for order in orders)


def test_every_end_is_meant_by_some():
    assert {kind.ends for kind in KINDS} == {TaskState.SUCCEEDED, TaskState.FAILED, TaskState.CANCELLED}
    assert {order.task.queue for order in make_orders(20, "run")} == {"default", "mail", "reports"}
