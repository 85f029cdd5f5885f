import pytest

from taskwire_shared.bus.ring_line import RingLine, deliveries, has_more
from taskwire_shared.domain.task import TaskPriority


@pytest.fixture
def line():
    return RingLine("taskwire", "mail", TaskPriority.HIGH)


def test_a_line_is_named_by_queue_and_priority(line):
    assert line.subject == "taskwire.ring.mail.high"
    assert line.consumer == "mail-high"


def test_a_line_is_not_ready_before_its_consumer_is_made(line):
    assert not line.is_ready
    line.made()
    assert line.is_ready
    line.requested = 5
    line.broke()
    assert not line.is_ready
    assert line.requested == 0


def test_answers_to_requests_of_former_consumers_are_told_apart(line):
    line.made()
    epoch = line.epoch
    line.made()
    assert line.epoch != epoch


def test_no_more_is_outstanding_than_was_asked_for(line):
    line.requested = 3
    line.returned(1)
    assert line.requested == 2
    line.returned(5)
    assert line.requested == 0


@pytest.mark.parametrize(
    ("ack_subject", "more"),
    [
        ("$JS.ACK.RINGS.mail-high.1.2.3.1700000000000000000.0", False),
        ("$JS.ACK.RINGS.mail-high.1.2.3.1700000000000000000.12", True),
        ("$JS.ACK.domain.account.RINGS.mail-high.1.2.3.1700000000000000000.0.token", False),
        ("$JS.ACK.domain.account.RINGS.mail-high.1.2.3.1700000000000000000.7.token", True),
        ("", False),
        ("something.else", False),
    ],
)
def test_an_acknowledgement_tells_whether_more_is_waiting(ack_subject, more):
    assert has_more(ack_subject) is more


@pytest.mark.parametrize(
    ("ack_subject", "count"),
    [
        ("$JS.ACK.RINGS.mail-high.1.2.3.1700000000000000000.0", 1),
        ("$JS.ACK.RINGS.mail-high.12.2.3.1700000000000000000.0", 12),
        ("$JS.ACK.domain.account.RINGS.mail-high.3.2.3.1700000000000000000.0.token", 3),
        ("", 1),
        ("something.else", 1),
    ],
)
def test_an_acknowledgement_tells_how_often_a_ring_was_delivered(ack_subject, count):
    assert deliveries(ack_subject) == count
