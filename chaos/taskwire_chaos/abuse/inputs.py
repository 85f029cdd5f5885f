"""One input after the other, each made from the seed and its number alone, but for what it has to know."""

import random
from collections.abc import Callable

from google.protobuf.message import Message
from msgspec import Struct

from taskwire_chaos.abuse import borders, hostile, mutation, valid
from taskwire_chaos.abuse.attacks import ATTACKS
from taskwire_chaos.abuse.methods import BY_NAME, METHODS, WEIGHTS, Method
from taskwire_chaos.abuse.world import World

RANDOM_BYTES_MAX = 300
Metadata = tuple[tuple[str, str | bytes], ...]


class Call(Struct, frozen=True):
    """A call, and what is known about its answer."""

    kind: str
    method: Method
    data: bytes
    metadata: Metadata = ()
    hasty: bool = False
    """Whether the caller gives up after some milliseconds."""
    expected: str = ""
    """The only right answer; empty where there are several."""


class Attack(Struct, frozen=True):
    """Something done to a connection of its own."""

    kind: str
    name: str
    seed: int


Input = Call | Attack


def make(seed: int, number: int, world: World) -> Input:
    """Make the input of this number."""
    rng = random.Random(f"{seed}:{number}")  # noqa: S311
    (maker,) = rng.choices([maker for maker, _ in _MAKERS], [weight for _, weight in _MAKERS])
    return maker(rng, world)


def _valid(rng: random.Random, world: World) -> Call:
    method = _method(rng)
    return Call("valid", method, _message(rng, method, world).SerializeToString(), hasty=rng.random() < 0.1)


def _changed_fields(rng: random.Random, world: World) -> Call:
    method = _method(rng)
    message = _message(rng, method, world)
    mutation.change_fields(rng, message)
    return Call("fields changed", method, message.SerializeToString())


def _changed_bytes(rng: random.Random, world: World) -> Call:
    method = _method(rng)
    return Call("bytes changed", method, mutation.change_bytes(rng, _message(rng, method, world).SerializeToString()))


def _random_bytes(rng: random.Random, _: World) -> Call:
    return Call("random bytes", rng.choice(METHODS), rng.randbytes(rng.randint(0, RANDOM_BYTES_MAX)))


def _border(rng: random.Random, world: World) -> Call:
    (border,) = rng.choices(borders.BORDERS, borders.WEIGHTS)
    step = rng.choice(border.steps)
    data = border.make(border.limit + step, rng, world).SerializeToString()
    # Up to the limit the answer depends on what is there; beyond it there is only one.
    return Call("at a limit", BY_NAME[border.method], data, expected=border.code if step > 0 else "")


def _tampered_token(rng: random.Random, world: World) -> Call:
    """Make a call with a token that is not, or no longer, what was given out."""
    name = rng.choice(["ListTasks", "ListQueues", "WatchTasks"])
    method = BY_NAME[name]
    request = method.request()
    tokens = world.resume_tokens if name == "WatchTasks" else world.page_tokens
    token = hostile.string(rng) if not tokens or rng.random() < 0.2 else _some_token(rng, world, name)
    setattr(request, "resume_token" if name == "WatchTasks" else "page_token", token)
    return Call("token tampered with", method, request.SerializeToString())


def _some_token(rng: random.Random, world: World, name: str) -> str:
    """Return a token of this or of another method, mostly changed."""
    tokens = world.resume_tokens if (name == "WatchTasks") != (rng.random() < 0.2) else world.page_tokens
    return world.token(rng, tokens, tampered=0.8)


def _flooded_metadata(rng: random.Random, world: World) -> Call:
    method = _method(rng)
    metadata = rng.choice(_FLOODS)(rng)
    return Call("metadata", method, _message(rng, method, world).SerializeToString(), metadata=metadata)


def _attack(rng: random.Random, _: World) -> Attack:
    return Attack("HTTP/2", rng.choice(sorted(ATTACKS)), rng.getrandbits(32))


def _method(rng: random.Random) -> Method:
    return rng.choices(METHODS, WEIGHTS)[0]


def _message(rng: random.Random, method: Method, world: World) -> Message:
    return valid.message(method.name, rng, world)


def _many(rng: random.Random) -> Metadata:
    return tuple([(f"x-{number}", "y" * rng.randint(0, 20)) for number in range(rng.choice([10, 100, 300]))])


def _long(rng: random.Random) -> Metadata:
    return (("x-long", "z" * rng.choice([1_000, 8_000, 8_192, 16_384, 60_000])),)


def _binary(rng: random.Random) -> Metadata:
    return (("x-trace-bin", rng.randbytes(rng.choice([0, 1, 100, 5_000]))), ("grpc-trace-bin", rng.randbytes(29)))


def _meaningful(rng: random.Random) -> Metadata:
    """Send what proxies, tracers and authentication would read."""
    names = ("authorization", "x-forwarded-for", "traceparent", "x-tenant", "cookie", "grpc-previous-rpc-attempts")
    return tuple([(rng.choice(names), rng.choice(["", "x" * 500, "Bearer ..", "-1", "00-0-0-0"])) for _ in range(20)])


_FLOODS: tuple[Callable[[random.Random], Metadata], ...] = (_many, _long, _binary, _meaningful)
_MAKERS: tuple[tuple[Callable[[random.Random, World], Input], int], ...] = (
    (_valid, 15),
    (_changed_fields, 30),
    (_changed_bytes, 20),
    (_random_bytes, 15),
    (_border, 7),
    (_tampered_token, 6),
    (_flooded_metadata, 5),
    (_attack, 2),
)
"""Each with how many of a hundred inputs it makes."""
