"""Where a watch of many tasks goes on."""

from hashlib import blake2b

from taskwire_gateway.request_hash import selector_bytes
from taskwire_gateway.seal import Seal
from taskwire_gateway.violations import refuse_field
from taskwire_shared.domain import limits
from taskwire_shared.domain.errors import ResumeTokenExpired
from taskwire_shared.domain.selector import TaskSelector
from taskwire_shared.store.positions import Position

_MARK_BYTES = 8


class ResumeTokens:
    """Makes and opens the tokens of one caller's selector."""

    def __init__(self, seal: Seal, incarnation: str, tenant: str, selector: TaskSelector) -> None:
        self.incarnation = incarnation
        """Of the database: the positions in the tokens were read there."""
        self._seal = seal
        self._mark = blake2b(incarnation.encode(), digest_size=_MARK_BYTES).digest()
        self._bound_to = (b"resume", tenant.encode(), selector_bytes(selector))

    def make(self, position: Position) -> str | None:
        """Make a token, or None where so many transactions are open that none would be short enough."""
        token = self._close(position)
        return token if len(token) <= limits.RESUME_TOKEN_CHARS_MAX else None

    def make_first(self, position: Position) -> str:
        """Make a token in any case; where too many transactions are open, one from which some changes come again."""
        return self.make(position) or self._close(Position(position.xmin))

    def open(self, token: str) -> Position | None:
        """Return the position to go on from; None for the present.

        Raises:
            InvalidFields: It was not made here, or for another selector.
            ResumeTokenExpired: It is from before the database was restored.
        """
        if not token:
            return None
        body = self._seal.open(token, *self._bound_to)
        if body is None:
            raise refuse_field("resume_token", "must be a resume_token of the same call with the same selector")
        if body[:_MARK_BYTES] != self._mark:
            raise ResumeTokenExpired
        return Position.from_bytes(body[_MARK_BYTES:])

    def _close(self, position: Position) -> str:
        return self._seal.close(self._mark + position.to_bytes(), *self._bound_to)
