"""Merging the items of one request."""

import pytest

from taskwire_gateway.batch import Batch
from taskwire_shared.domain.errors import TaskConflict
from taskwire_shared.domain.ids import new_id
from taskwire_shared.domain.task import NewTask


def _item(identifier=None, key=None, content=b"same", queue="q"):
    return NewTask(
        id=identifier or new_id(), tenant="t", queue=queue, type="echo", request_hash=content, idempotency_key=key
    )


def test_items_that_differ_are_kept_as_they_are():
    items = [_item(), _item(), _item(key="k"), _item(key="k", queue="other")]
    batch = Batch.of(items)
    assert (list(batch.tasks), list(batch.origins), batch.repeats) == (items, [0, 1, 2, 3], {})


def test_items_that_share_an_id_or_a_key_are_one():
    one, two = new_id(), new_id()
    items = [_item(one), _item(key="k"), _item(one), _item(two, key="k"), _item(two)]
    batch = Batch.of(items)
    assert list(batch.tasks) == items[:2]
    assert (list(batch.origins), batch.repeats) == ([0, 1], {2: 0, 3: 1, 4: 1})


def test_items_that_share_a_name_but_no_content_are_a_conflict():
    one = new_id()
    with pytest.raises(TaskConflict) as caught:
        Batch.of([_item(), _item(one), _item(one, content=b"other")])
    assert (caught.value.task_id, caught.value.index) == (str(one), 2)
    with pytest.raises(TaskConflict) as caught:
        Batch.of([_item(key="k"), _item(key="k", content=b"other")])
    assert (caught.value.task_id, caught.value.index) == (None, 1)


def test_names_are_what_flushes_must_not_share():
    one = new_id()
    assert Batch.of([_item(one)]).names == {one}
    assert Batch.of([_item(one, key="k")]).names == {one, ("t", "q", "k")}
    assert Batch.of([_item(one), _item(one, key="k")]).names == {one, ("t", "q", "k")}
