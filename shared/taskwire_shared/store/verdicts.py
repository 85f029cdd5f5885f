"""What becomes of a task when something other than success happens to it, decided once for every statement.

A statement begins with a CTE `held`, the locked rows with a wish for each, and goes on with `CARRY_OUT`. Where
cancellation was asked for, every wish becomes CANCELLED.
"""

from enum import IntEnum

from taskwire_shared.domain import defaults, limits
from taskwire_shared.domain.outcome import ATTEMPTS_EXHAUSTED, EXPIRED
from taskwire_shared.store.history import CHANGED_COLUMNS, NOTE_CHANGES, NOW, found_by_id


class Wish(IntEnum):
    """What should happen to a task."""

    START = 1
    """SCHEDULED to PENDING."""
    EXPIRE = 2
    FAIL = 3
    """With the `final_failure`."""
    RETRY = 4
    """After `retry_in` seconds, unless the attempts are used up or the task expires before."""
    HAND_BACK = 5
    """The attempt is excused."""
    TAKE_BACK = 6
    """The attempt counts."""


HELD_COLUMNS = (
    f"t.id, {NOW} AS now, t.cancel_requested_at, t.attempt - t.excused AS attempts, t.max_attempts, t.expire_at"
)
"""What `held` selects, followed by wish, failure (jsonb), final_failure (jsonb) and retry_in (seconds)."""

_EXPIRED = f"""jsonb_build_object(
    'reason', '{EXPIRED}', 'message', 'the task expired before it was done', 'metadata', '{{}}'::jsonb
)"""
_EXHAUSTED = f"""jsonb_build_object(
    'reason', '{ATTEMPTS_EXHAUSTED}',
    'message', left(format(
        CASE attempts WHEN 1 THEN '%s attempt failed, with %s%s' ELSE '%s attempts failed, the last one with %s%s' END,
        attempts, failure->>'reason', ': ' || nullif(failure->>'message', '')
    ), {limits.FAILURE_MESSAGE_CHARS_MAX}),
    'metadata', jsonb_build_object('attempts', attempts::text, 'last_reason', failure->>'reason')
)"""

CARRY_OUT = f"""
judged AS (
    SELECT held.*, attempts >= coalesce(max_attempts, {defaults.MAX_ATTEMPTS}) AS exhausted
    FROM held
), verdict AS (
    SELECT *, now + retry_in * interval '1 second' AS retry_at,
        CASE
            WHEN cancel_requested_at IS NOT NULL THEN 6
            WHEN wish IN ({Wish.EXPIRE:d}, {Wish.FAIL:d}) THEN 5
            WHEN wish IN ({Wish.START:d}, {Wish.HAND_BACK:d}) THEN 2
            WHEN exhausted THEN 5
            WHEN wish = {Wish.TAKE_BACK:d} THEN 2
            WHEN expire_at <= now + retry_in * interval '1 second' THEN 5
            ELSE 1
        END AS next
    FROM judged
), changed AS (
    UPDATE tasks t SET
        state = v.next,
        version = t.version + 1,
        excused = t.excused + CASE WHEN v.wish = {Wish.HAND_BACK:d} AND v.next = 2 THEN 1 ELSE 0 END,
        updated_at = v.now,
        finished_at = CASE WHEN v.next >= 4 THEN v.now END,
        schedule_at = CASE v.next WHEN 1 THEN v.retry_at ELSE t.schedule_at END,
        due_at = CASE v.next WHEN 1 THEN least(v.retry_at, t.expire_at) WHEN 2 THEN t.expire_at END,
        last_failure = coalesce(v.failure, t.last_failure),
        failure = CASE
            WHEN v.next <> 5 THEN NULL
            WHEN v.wish = {Wish.FAIL:d} THEN v.final_failure
            WHEN v.wish <> {Wish.EXPIRE:d} AND v.exhausted THEN v.exhausted_failure
            ELSE v.expired_failure
        END
    FROM (SELECT *, {_EXHAUSTED} AS exhausted_failure, {_EXPIRED} AS expired_failure FROM verdict) v
    WHERE {found_by_id("v")}
    RETURNING {CHANGED_COLUMNS}, t.queue, t.priority
), noted AS ({NOTE_CHANGES})
SELECT id, attempt, state, queue, priority FROM changed
"""


def failure_literal(reason: str, message: str) -> str:
    """Return an SQL expression for a failure of the service's own. Both texts are ours: constants without quotes."""
    return f"jsonb_build_object('reason', '{reason}', 'message', '{message}', 'metadata', '{{}}'::jsonb)"
