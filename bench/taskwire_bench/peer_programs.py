"""The peers: how each is started, and what each of them keeps."""

from collections.abc import Mapping, Sequence

from msgspec import Struct

from taskwire_bench.conditions import REPOSITORY

PEERS = REPOSITORY / "bench" / "peers"
_PYTHON = str(PEERS / "python" / ".venv" / "bin" / "python")
_BIN = PEERS / "python" / ".venv" / "bin"
_GO = str(PEERS / "go" / "measure")
_NODE_FOLDER = PEERS / "node"
REDIS = PEERS / "redis" / "usr" / "bin" / "redis-server"
REDIS_LIBRARIES = PEERS / "redis" / "usr" / "lib" / "x86_64-linux-gnu"


class Keeps(Struct, frozen=True):
    """What survives, with the settings that are measured."""

    task: str
    result: str
    history: str
    kill: str
    """`kill -9` of a worker."""
    power_cut: str


class Peer(Struct, frozen=True, kw_only=True):
    """A task system to compare with."""

    name: str
    title: str
    folder: str
    needs: Sequence[str]
    """Files that must be there."""
    prepare: Sequence[str] = ()
    workers: Sequence[Sequence[str]]
    """The worker processes, at the peer's best documented settings on two cores."""
    enqueue: Sequence[str]
    """Gets the number of tasks as its last word."""
    needs_redis: bool = False
    keeps: Keeps


TASKWIRE_KEEPS = Keeps("in Postgres", "in Postgres", "every version", "starts again within the lease", "kept")
_IN_REDIS = "in Redis, up to the last second"


def _words(program: str, arguments: str) -> Sequence[str]:
    return (str(_BIN / program), *arguments.split())


def _python(name: str, title: str, worker: Sequence[str], keeps: Keeps) -> Peer:
    return Peer(
        name=name,
        title=title,
        folder=str(PEERS / "python"),
        needs=(_PYTHON, str(REDIS)),
        workers=(worker,),
        enqueue=(_PYTHON, f"{name}_peer.py", "enqueue"),
        needs_redis=True,
        keeps=keeps,
    )


ALL: Mapping[str, Peer] = {
    peer.name: peer
    for peer in (
        Peer(
            name="graphile",
            title="graphile-worker (Node, Postgres)",
            folder=str(_NODE_FOLDER),
            needs=(str(_NODE_FOLDER / "node_modules" / "graphile-worker"),),
            prepare=("node", "measure.js", "prepare"),
            workers=(("node", "measure.js", "work"),) * 2,
            enqueue=("node", "measure.js", "enqueue"),
            keeps=Keeps("in Postgres", "no", "no, the row is deleted", "after 4 hours by default", "kept"),
        ),
        Peer(
            name="river",
            title="River (Go, Postgres)",
            folder=str(PEERS / "go"),
            needs=(_GO,),
            prepare=(_GO, "prepare"),
            workers=((_GO, "work"),),
            enqueue=(_GO, "enqueue"),
            keeps=Keeps("in Postgres", "no", "errors of attempts", "rescued after 1 hour by default", "kept"),
        ),
        Peer(
            name="pgqueuer",
            title="PgQueuer (Python, Postgres)",
            folder=str(PEERS / "python"),
            needs=(_PYTHON,),
            prepare=(_PYTHON, "pgqueuer_peer.py", "prepare"),
            workers=((_PYTHON, "pgqueuer_peer.py", "work"),) * 2,
            enqueue=(_PYTHON, "pgqueuer_peer.py", "enqueue"),
            keeps=Keeps("in Postgres", "no", "a log row per change", "picked up after its heartbeat", "kept"),
        ),
        _python(
            "taskiq",
            "Taskiq (Python, NATS JetStream, results in Redis)",
            _words("taskiq", "worker taskiq_peer:broker -w 2 --max-async-tasks 200 --log-level ERROR"),
            Keeps(
                "in JetStream, not synced at once", _IN_REDIS, "no", "delivered again", "the last seconds may be lost"
            ),
        ),
        _python(
            "dramatiq",
            "Dramatiq (Python, Redis)",
            _words("dramatiq", "dramatiq_peer --processes 2 --threads 8"),
            Keeps(_IN_REDIS, _IN_REDIS, "no", "delivered again", "the last second may be lost"),
        ),
        _python(
            "celery",
            "Celery (Python, Redis, late acknowledgement)",
            _words(
                "celery", "-A celery_peer worker -c 2 -l ERROR --without-gossip --without-mingle --without-heartbeat"
            ),
            Keeps(_IN_REDIS, _IN_REDIS, "no", "delivered again after 1 hour", "the last second may be lost"),
        ),
    )
}
