"""Messages that nobody sent like this: garbage, strangers, and real ones lost, doubled, late, or in the wrong place."""

import base64
import json
import random
import uuid
from collections.abc import Callable, Mapping
from itertools import product
from typing import Any, cast

import msgpack
from redis import Redis

from embedding_project.contracts.messages import Lane
from embedding_project.contracts.queues import INDEX_QUEUE, REEMBED_QUEUE, SearchLane, embed_queue, search_queue
from tests.chaos.cluster import SHARDS, Cluster, Servers
from tests.chaos.faults.base import Fault, Part

_BIG_BYTES = 5_000_000
_STEAL_SECONDS = 1.0
_STOLEN_MOST = 4
_EVERYTHING = frozenset({Part.SEARCH, Part.WRITES})
INDEX_TASK, SEARCH_TASK, EMBED_TASK = (
    "embeddings_app.index_documents",
    "index_nodes.search_shard",
    "workers.embed_texts",
)


def message(task: str, body: bytes, content_type: str, encoding: str) -> bytes:
    """A message in the form in which kombu writes it."""
    return json.dumps(
        {
            "body": base64.b64encode(body).decode(),
            "content-encoding": encoding,
            "content-type": content_type,
            "headers": {"task": task, "id": str(uuid.uuid4()), "lang": "py", "argsrepr": "-", "kwargsrepr": "-"},
            "properties": {
                "delivery_mode": 2,
                "delivery_info": {"exchange": "", "routing_key": "index"},
                "delivery_tag": str(uuid.uuid4()),
                "body_encoding": "base64",
                "priority": 0,
            },
        }
    ).encode()


def _packed(task: str, argument: object) -> bytes:
    return message(task, msgpack.packb(((argument,), {}, {})), "application/x-msgpack", "binary")


def index_hint(keys: list[int]) -> bytes:
    """A hint as the service sends it."""
    return message(INDEX_TASK, json.dumps([[keys], {}, {}]).encode(), "application/json", "utf-8")


GARBAGE: Mapping[str, Callable[[], bytes]] = {
    "no-json": lambda: b"\x80\x04\x95 this is no message",
    "wrong-task": lambda: _packed("os.system", b"x"),
    "pickle": lambda: message(SEARCH_TASK, b"\x80\x04N.", "application/x-python-serialize", "binary"),
    "big": lambda: _packed(SEARCH_TASK, b"x" * _BIG_BYTES),
    "strange-search": lambda: _packed(
        SEARCH_TASK, msgpack.packb(["fanout", "reply.nobody", "epoch", 9e12, [], 0, b""])
    ),
    "strange-embed": lambda: _packed(EMBED_TASK, msgpack.packb(["batch", "reply.nobody", "bulk", 9e12, True, {}, []])),
    "unknown-documents": lambda: index_hint([-1, 0, 2**62]),
}


def work_queues(cluster: Servers) -> list[str]:
    """Every queue that carries work, as of the active layout and the versions that answer."""
    ((layout,),) = cluster.rows("SELECT id FROM layout WHERE status = 'active'")
    versions = [key for (key,) in cluster.rows("SELECT id FROM model_registry WHERE status = 'active' ORDER BY id")]
    searches = [search_queue(layout, *of) for of in product(versions, range(SHARDS), SearchLane)]
    return [INDEX_QUEUE, REEMBED_QUEUE, *map(embed_queue, Lane), *searches]


class Garbage(Fault):
    """One kind of garbage in every queue."""

    kind = "garbage"

    def __init__(self, content: str) -> None:
        super().__init__(content, _EVERYTHING)

    def inject(self, cluster: Cluster) -> None:
        queues = work_queues(cluster)
        with cluster.broker() as redis:
            for queue in queues:
                redis.lpush(queue, GARBAGE[self.target]())


class DuplicateHints(Fault):
    kind = "duplicate-hints"

    def __init__(self) -> None:
        super().__init__("index", frozenset({Part.WRITES}))

    def inject(self, cluster: Cluster) -> None:
        keys = [key for (key,) in cluster.rows("SELECT id FROM document ORDER BY random() LIMIT 100")]
        with cluster.broker() as redis:
            redis.lpush("index", *[index_hint(keys) for _ in range(30)])


class Stolen(Fault):
    """Real messages taken from a queue as they come, and what becomes of them."""

    def __init__(self, kind: str, chance: random.Random) -> None:
        super().__init__("queues", _EVERYTHING)
        self.kind = kind
        self._random = chance
        self._kept: list[tuple[str, bytes]] = []

    def inject(self, cluster: Cluster) -> None:
        queues = work_queues(cluster)
        with cluster.broker() as redis:
            self._kept = [taken for _ in range(_STOLEN_MOST) if (taken := _take(redis, queues))]
            for queue, content in self._kept:
                for target in self._targets(queue, queues):
                    redis.lpush(target, content)

    def heal(self, cluster: Cluster) -> None:
        if self.kind in ("late-messages", "replayed-messages"):
            with cluster.broker() as redis:
                for queue, content in self._kept:
                    redis.lpush(queue, content)

    def _targets(self, queue: str, queues: list[str]) -> list[str]:
        """Where a message goes at once."""
        others = [other for other in queues if other[:6] == queue[:6] and other != queue]
        places: Mapping[str, list[str]] = {
            "lost-messages": [],
            "late-messages": [],
            "replayed-messages": [queue],
            "doubled-messages": [queue, queue, queue],
            "misplaced-messages": [self._random.choice(others or queues)],
        }
        return places[self.kind]


STOLEN = ("lost-messages", "late-messages", "replayed-messages", "doubled-messages", "misplaced-messages")


def _take(redis: Redis, queues: list[str]) -> tuple[str, bytes] | None:
    taken = cast(Any, redis.brpop(queues, timeout=_STEAL_SECONDS))
    return (taken[0].decode(), taken[1]) if taken else None
