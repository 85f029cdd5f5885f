"""What is known so far: ids and tokens that calls have brought, for later calls to use and to tamper with."""

import random
from collections import deque
from uuid import UUID

from taskwire.v1 import task_service_pb2 as pb

KEPT_MAX = 500
"""Of each kind."""

_VERSION_7 = 0x7 << 76
_VARIANT = 0b10 << 62


class World:
    """Ids and tokens."""

    def __init__(self) -> None:
        self.ids: deque[str] = deque(maxlen=KEPT_MAX)
        self.page_tokens: deque[str] = deque(maxlen=KEPT_MAX)
        self.resume_tokens: deque[str] = deque(maxlen=KEPT_MAX)

    def learn(self, method: str, data: bytes) -> None:
        """Keep what an answer has in it."""
        match method:
            case "CreateTask":
                self.ids.append(pb.CreateTaskResponse.FromString(data).task.id)
            case "ListTasks":
                self._keep(self.page_tokens, pb.ListTasksResponse.FromString(data).next_page_token)
            case "ListQueues":
                self._keep(self.page_tokens, pb.ListTasksResponse.FromString(data).next_page_token)
            case "WatchTasks":
                self._keep(self.resume_tokens, pb.WatchTasksResponse.FromString(data).resume_token)

    def _keep(self, tokens: deque[str], token: str) -> None:
        if token:
            tokens.append(token)

    def task_id(self, rng: random.Random) -> str:
        """Return an id, most often of a task that exists."""
        if self.ids and rng.random() < 0.9:
            return rng.choice(self.ids)
        return str(UUID(int=rng.getrandbits(128)))

    def token(self, rng: random.Random, tokens: deque[str], *, tampered: float) -> str:
        """Return a token of ours, or with this probability one that was tampered with."""
        if not tokens:
            return ""
        token = rng.choice(tokens)
        return token if rng.random() >= tampered else tamper(rng, token)


def fresh_id(rng: random.Random, unix_ms: int) -> str:
    """Make an id of this time."""
    return str(UUID(int=unix_ms << 80 | _VERSION_7 | rng.getrandbits(12) << 64 | _VARIANT | rng.getrandbits(62)))


def tamper(rng: random.Random, token: str) -> str:
    """Change a token a little."""
    at = rng.randrange(len(token))
    return rng.choice(
        [
            token[:at] + rng.choice("AZaz09-_+/=é\x00") + token[at + 1 :],
            token[:at],
            token + token,
            token + "=" * rng.randint(1, 3),
            token[at:] + token[:at],
            token.swapcase(),
            f" {token}\n",
            token[:at] + "!" + token[at:],
        ]
    )
