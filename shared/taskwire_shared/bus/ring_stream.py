"""The stream that rings wait in, and its consumers: made again whenever they are not as they should be."""

from typing import Any

import msgspec

from taskwire_shared.bus.connection import Bus, BusUnavailableError

RING_SECONDS_MAX = 60
"""How long a ring waits. Nobody missed it by then: the slow claim has seen the task."""
RINGS_BYTES_MAX = 256 * 1024 * 1024
ACK_SECONDS = 5
"""A ring that was handed out and not acknowledged goes to another processor after this."""
ACKS_PENDING_MAX = 20_000
"""Rings handed out and not acknowledged, for each consumer and all processors together."""
CONSUMERS_MAX = 100_000
"""Three for each queue. Said explicitly because a server of version 2.15 and later otherwise stops at 1,000."""
IDLE_CONSUMER_SECONDS = 600
"""A consumer that nobody has asked for rings is removed after this."""
NANOSECONDS = 1_000_000_000

_WRONG_CONFIGURATION = 10_058
"""The server's `err_code` for a stream that exists and differs."""
_BROKEN_CONSUMER = 10_012
"""The server's `err_code` where what it has stored of a consumer can be neither read nor written over."""


class _Error(msgspec.Struct):
    code: int = 0
    err_code: int = 0
    description: str = ""


class _Answer(msgspec.Struct):
    error: _Error | None = None


_answers = msgspec.json.Decoder(_Answer)


class RefusedError(BusUnavailableError):
    """JetStream does not do what it was asked to."""


class RingStream:
    """Makes the stream and its consumers. Every call may be repeated, and by many processes at once."""

    def __init__(self, bus: Bus, *, replicas: int = 1) -> None:
        self._bus = bus
        self._replicas = replicas
        self.name = f"{bus.prefix}_RINGS".upper()

    async def ensure(self) -> None:
        """Make the stream, or make it what it should be; what it holds are hints and may go.

        Raises BusUnavailableError: when JetStream does not answer or refuses.
        """
        config = self._stream_config()
        error = await self._ask(f"STREAM.CREATE.{self.name}", config)
        if error is not None and error.err_code == _WRONG_CONFIGURATION:
            error = await self._ask(f"STREAM.UPDATE.{self.name}", config)
            if error is not None:
                await self._ask(f"STREAM.DELETE.{self.name}", {})
                error = await self._ask(f"STREAM.CREATE.{self.name}", config)
        if error is not None:
            raise RefusedError(error.description)

    async def ensure_consumer(self, name: str, subject: str) -> None:
        """Make the consumer `name` of the rings on `subject`, and the stream anew where what is left of one is broken.

        Raises BusUnavailableError: when JetStream does not answer or refuses.
        """
        config = {
            "durable_name": name,
            "filter_subject": subject,
            "ack_policy": "explicit",
            "ack_wait": ACK_SECONDS * NANOSECONDS,
            "max_deliver": -1,
            "max_ack_pending": ACKS_PENDING_MAX,
            "inactive_threshold": IDLE_CONSUMER_SECONDS * NANOSECONDS,
        }
        request = {"stream_name": self.name, "config": config}
        error = await self._ask(f"CONSUMER.DURABLE.CREATE.{self.name}.{name}", request)
        if error is not None and error.err_code == _BROKEN_CONSUMER:
            # The consumer is not there to be deleted; its remains go with the stream.
            await self._ask(f"STREAM.DELETE.{self.name}", {})
            await self.ensure()
            error = await self._ask(f"CONSUMER.DURABLE.CREATE.{self.name}.{name}", request)
        if error is not None:
            raise RefusedError(error.description)

    def next_subject(self, consumer: str) -> str:
        """Name the subject on which `consumer` is asked for rings."""
        return f"$JS.API.CONSUMER.MSG.NEXT.{self.name}.{consumer}"

    def _stream_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "subjects": [f"{self._bus.prefix}.ring.>"],
            "retention": "workqueue",
            "storage": "file",
            "discard": "old",
            "max_age": RING_SECONDS_MAX * NANOSECONDS,
            "max_bytes": RINGS_BYTES_MAX,
            "max_consumers": CONSUMERS_MAX,
            "num_replicas": self._replicas,
        }

    async def _ask(self, what: str, request: dict[str, Any]) -> _Error | None:
        answer = await self._bus.request(f"$JS.API.{what}", msgspec.json.encode(request))
        try:
            return _answers.decode(answer).error
        except msgspec.MsgspecError as error:
            raise RefusedError(str(error)) from error
