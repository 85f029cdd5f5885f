"""The rules for single fields, as the comments of the protos state them."""

import re
import time
from collections.abc import Mapping
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from taskwire.v1 import task_pb2
from taskwire_gateway.violations import Violations
from taskwire_shared.domain import limits
from taskwire_shared.domain.queue import QUEUE_NAME
from taskwire_shared.identifiers import identifier

_VARIANT = frozenset("89ab")
_KEY = re.compile(rf"[ -~]{{1,{limits.IDEMPOTENCY_KEY_CHARS_MAX}}}", re.ASCII)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")

_TIMESTAMP_SECONDS_MIN = -62_135_596_800
_TIMESTAMP_SECONDS_MAX = 253_402_300_799
_NANOS_MAX = 999_999_999
_DURATION_PROTO_SECONDS_MAX = 315_576_000_000
"""The ranges that timestamp.proto and duration.proto state: years 1 to 9999, and 10,000 years."""
_NANOS_PER_MS = 1_000_000
_KEY_CHARS_SHOWN = 40
"""Of a label key within the path of a violation."""

_PRIORITIES = frozenset(task_pb2.TaskPriority.values())
_VIEWS = frozenset(task_pb2.TaskView.values())


def read_id(text: str) -> UUID | None:
    """Read a lower-case canonical UUID of version 7. None where it is none."""
    if text[14:15] != "7" or text[19:20] not in _VARIANT:
        return None
    try:
        found = identifier(text)
    except ValueError:
        return None
    # Of all the forms that are read only the canonical one is written. By a pattern it took twice as long.
    return found if str(found) == text else None


def is_queue(name: str) -> bool:
    """Tell whether this is a legal name of a queue."""
    return QUEUE_NAME.fullmatch(name) is not None


def is_type(name: str) -> bool:
    """Tell whether this is a legal name of a task type."""
    return 0 < len(name) <= limits.TYPE_CHARS_MAX and not _CONTROL.search(name)


def check_id(found: Violations, path: str, text: str) -> bool:
    """Demand a lower-case canonical UUID of version 7. Returns whether it is one."""
    if read_id(text) is not None:
        return True
    found.add(path, "must be a UUID of version 7 in lower case, 8-4-4-4-12 digits" if text else "must be set")
    return False


def check_fresh_id(found: Violations, path: str, text: str, now: float) -> None:
    """Demand an id whose time is near `now`, in seconds since 1970."""
    if not check_id(found, path, text):
        return
    age = now - int(text[:8] + text[9:13], 16) / 1000
    if age > limits.TASK_ID_AGE_SECONDS_MAX:
        found.add(path, "must not be older than 24 hours by its time")
    elif -age > limits.TASK_ID_AHEAD_SECONDS_MAX:
        found.add(path, "must not be more than 5 minutes ahead by its time")


def check_key(found: Violations, path: str, text: str) -> None:
    """Demand a usable idempotency key."""
    if not _KEY.fullmatch(text):
        found.add(path, "must be 1 to 128 printable ASCII characters")


def check_queue(found: Violations, path: str, name: str) -> None:
    """Demand a legal name of a queue."""
    if not is_queue(name):
        found.add(path, "must be 1 to 63 characters of a-z, 0-9, - and _, starting with a letter")


def check_type(found: Violations, path: str, name: str) -> None:
    """Demand a legal name of a task type."""
    if not is_type(name):
        found.add(path, "must be 1 to 128 characters without control characters")


def check_text(found: Violations, path: str, text: str, chars_max: int) -> None:
    """Demand text that Postgres can hold and that is not too long."""
    if len(text) > chars_max:
        found.add(path, f"must have at most {chars_max} characters")
    if "\x00" in text:
        found.add(path, "must not contain NUL")


def check_payload(found: Violations, path: str, payload: task_pb2.Payload) -> None:
    """Demand a payload that is not too big. Its data may be anything."""
    which = payload.WhichOneof("data")
    if which == "text":
        # A character is at most four bytes, so that most texts need not be encoded to be measured.
        text = payload.text
        too_big = len(text) * 4 > limits.PAYLOAD_BYTES_MAX and len(text.encode()) > limits.PAYLOAD_BYTES_MAX
    else:
        too_big = len(payload.binary) > limits.PAYLOAD_BYTES_MAX
    if too_big:
        found.add(f"{path}.{which}", f"must have at most {limits.PAYLOAD_BYTES_MAX} bytes")
    if payload.content_type:
        check_text(found, f"{path}.content_type", payload.content_type, limits.CONTENT_TYPE_CHARS_MAX)


def check_priority(found: Violations, path: str, value: int) -> None:
    """Demand a priority that exists."""
    if value not in _PRIORITIES:
        found.add(path, "must be a priority that exists")


def check_view(found: Violations, path: str, value: int) -> None:
    """Demand a view that exists."""
    if value not in _VIEWS:
        found.add(path, "must be a view that exists")


def check_labels(found: Violations, path: str, labels: Mapping[str, str], count_max: int) -> None:
    """Demand labels that are neither too many nor too long."""
    if len(labels) > count_max:
        found.add(path, f"must have at most {count_max} entries")
        return
    for key, value in labels.items():
        entry = f"{path}[{key[:_KEY_CHARS_SHOWN]!r}]"
        if len(key) > limits.LABEL_KEY_CHARS_MAX:
            found.add(entry, f"must have a key of at most {limits.LABEL_KEY_CHARS_MAX} characters")
        if "\x00" in key:
            found.add(entry, "must not contain NUL")
        check_text(found, entry, value, limits.LABEL_VALUE_CHARS_MAX)


def check_time(found: Violations, path: str, moment: Timestamp) -> bool:
    """Demand a timestamp within the range of timestamp.proto. Returns whether it is."""
    if _TIMESTAMP_SECONDS_MIN <= moment.seconds <= _TIMESTAMP_SECONDS_MAX and 0 <= moment.nanos <= _NANOS_MAX:
        return True
    found.add(path, "must be a time from year 1 to 9999 with nanos from 0 to 999999999")
    return False


def check_schedule_time(found: Violations, path: str, moment: Timestamp) -> None:
    """Demand a time that is not too far ahead."""
    ahead = limits.SCHEDULE_AHEAD_DAYS_MAX
    if check_time(found, path, moment) and moment.seconds > time.time() + ahead * 86_400:
        found.add(path, f"must be at most {ahead} days ahead")


def check_duration(found: Violations, path: str, span: Duration, *, at_least_ms: int) -> None:
    """Demand a duration within the range of duration.proto, not too short and not too long."""
    if not _is_duration(span):
        found.add(path, "must be a duration whose seconds and nanos are in range and have the same sign")
    elif span.seconds * 1000 + span.nanos // _NANOS_PER_MS < at_least_ms:
        found.add(path, f"must be at least {at_least_ms} ms")
    elif (span.seconds, span.nanos) > (limits.DURATION_SECONDS_MAX, 0):
        found.add(path, f"must be at most {limits.DURATION_SECONDS_MAX} seconds")


def check_page_size(found: Violations, value: int) -> None:
    """Refuse negative page sizes; big ones are cut elsewhere."""
    if value < 0:
        found.add("page_size", "must not be negative")


def _is_duration(span: Duration) -> bool:
    in_range = abs(span.seconds) <= _DURATION_PROTO_SECONDS_MAX and abs(span.nanos) <= _NANOS_MAX
    return in_range and not (span.seconds < 0 < span.nanos or span.nanos < 0 < span.seconds)
