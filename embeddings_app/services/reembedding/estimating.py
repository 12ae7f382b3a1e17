"""What a run will cost, before it begins: from a sample of the documents, the cache, and the speed of the embedders."""

import random
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from redis.exceptions import RedisError

from embedding_project.broker.embed_load import EmbedLoad, model_name
from embedding_project.broker.embed_reports import read_load
from embedding_project.broker.redis_clients import broker_client
from embedding_project.config import load_config
from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.keys import InputType, cache_key
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vector_storage import VectorStorage
from embeddings_app import registry
from embeddings_app.database.patience import answered_by
from embeddings_app.models import ModelRegistry
from embeddings_app.records import bulk_blocks, reembedding, version_records
from embeddings_app.records.topology import read_topology
from embeddings_app.services.embedding.cache import cached_vectors

_SAMPLES, _SAMPLE_TEXTS = 20, 10
_BYTES_PER_TOKEN = 4
_RECORD_BYTES = 350
"""In Postgres, of a record and a vector beside its numbers, with their indexes."""
_NODE_BYTES = 300
"""In the memory of a node, of a document beside the numbers of its vector: links, keys, columns."""
_SNAPSHOTS = 2
"""Of an index on the disk while a new one is written."""
_NUMBER_BYTES = 4
_DEADLINE_SECONDS = 15.0
"""Of all reads together: in a large table the documents of a small model are far apart."""


@dataclass(frozen=True, slots=True)
class Room:
    """What this machine has free, in bytes."""

    disk: int
    memory: int


@dataclass(frozen=True, slots=True)
class Estimate:
    documents: int
    """At most version_records.COUNT_CAP when `counted` is False."""
    counted: bool
    tokens: int
    cached_share: float
    """Of the sampled texts, those whose vector of the version is in the cache, 0 to 1."""
    without_text: float
    """Share of the sampled documents whose text is not stored: clients must send them again."""
    seconds: float | None
    """At the measured speed of the embedders; None when none was measured."""
    disk_bytes: int
    """In Postgres, and in the snapshots of all nodes."""
    memory_bytes: int
    """On all nodes together."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def estimate(version: ModelRegistry) -> Estimate:
    """What filling the version would take. Outside of a transaction."""
    with answered_by(time.monotonic() + _DEADLINE_SECONDS):
        return _estimate(version)


def _estimate(version: ModelRegistry) -> Estimate:
    spec = registry.spec_of(version)
    documents = version_records.count_documents(version.model_id)
    counted = documents < version_records.COUNT_CAP
    documents = documents if counted else max(documents, version_records.estimated_documents())
    sample = _sample(spec)
    texts = [text for text in sample if text]
    cached = _cached_share(spec, texts)
    tokens = round(documents * _mean_tokens(texts, spec) * len(texts) / max(len(sample), 1))
    topology = read_topology()
    vector = _NUMBER_BYTES * spec.dimension
    memory = node_bytes(documents, spec.dimension, spec.storage) * topology.replicas
    return Estimate(
        documents=documents,
        counted=counted,
        tokens=tokens,
        cached_share=round(cached, 3),
        without_text=round(1 - len(texts) / len(sample), 3) if sample else 0.0,
        seconds=_seconds(spec, tokens * (1 - cached)),
        disk_bytes=documents * (vector + _RECORD_BYTES) + _SNAPSHOTS * memory,
        memory_bytes=memory,
    )


def node_bytes(documents: int, dimension: int, storage: VectorStorage) -> int:
    """About what so many documents take in the memory of a node."""
    return documents * (storage.bytes_a_number * dimension + _NODE_BYTES)


def check_room(expected: Estimate, room: Room | None = None) -> None:
    """Raises ServiceError when the estimate is more than this machine has free."""
    check_fits(expected.documents, expected.disk_bytes, expected.memory_bytes, room)


def check_fits(documents: int, disk_bytes: int, memory_bytes: int, room: Room | None = None) -> None:
    """Raises ServiceError when so much is more than this machine has free."""
    free = room or _room()
    for what, needed, there in (("disk", disk_bytes, free.disk), ("memory", memory_bytes, free.memory)):
        if needed > there:
            raise ServiceError(
                "does_not_fit",
                f"the vectors of {documents} documents need about {_mib(needed)} MiB of {what},"
                f" and this machine has {_mib(there)} MiB free",
            )


def _sample(spec: ModelSpec) -> list[str]:
    """Some texts from all over the documents; an empty one for each that is not stored."""
    found: dict[int, str] = {}
    for key in bulk_blocks.keys_at([random.random() for _ in range(_SAMPLES)]):
        found.update(reembedding.texts_after(spec.model_id, key - 1, _SAMPLE_TEXTS))
    return list(found.values())


def _mean_tokens(texts: Sequence[str], spec: ModelSpec) -> float:
    lengths = [min(len(text.encode()) / _BYTES_PER_TOKEN + 2, spec.max_tokens) for text in texts]
    return sum(lengths) / len(lengths) if lengths else 0.0


def _cached_share(spec: ModelSpec, texts: Sequence[str]) -> float:
    keys = {cache_key(spec, InputType.DOCUMENT, text) for text in texts}
    return len(cached_vectors().find(spec, list(keys))) / len(keys) if keys else 0.0


def _seconds(spec: ModelSpec, tokens: float) -> float | None:
    try:
        load: EmbedLoad = read_load(broker_client(load_config().redis_url))
    except RedisError:
        return None
    known = load.speeds.get(model_name(spec))
    speed = known * load.embedders if known else load.tokens_per_second
    return round(tokens / speed, 1) if speed else None


def _room() -> Room:
    folder = load_config().var_dir
    while not folder.exists():
        folder = folder.parent
    available = [
        line.split()[1] for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable")
    ]
    return Room(disk=shutil.disk_usage(folder).free, memory=int(available[0]) * 1024)


def _mib(size: int) -> int:
    return size // 2**20
