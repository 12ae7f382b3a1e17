"""Position tokens: signed, opaque statements of how far the logs had come when a write was indexed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.core import signing

from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embeddings_app.records.topology import Topology, heads, live_layouts

_SALT = "position"


@dataclass(frozen=True, slots=True)
class Position:
    epoch: str
    layout: int
    version_key: int
    seqs: dict[int, int]
    """Shard -> sequence number that must have been applied."""


def newest(topology: Topology, version_key: int) -> Position:
    """Of everything that was written so far."""
    seqs = heads(topology.layout, version_key, range(topology.shards))
    return Position(topology.epoch, topology.layout, version_key, seqs)


def encode(position: Position) -> str:
    seqs = {str(shard): seq for shard, seq in position.seqs.items()}
    return signing.dumps([position.epoch, position.layout, position.version_key, seqs], salt=_SALT)


def furthest(tokens: Mapping[str, str], topology: Topology, version_key: int) -> Position:
    """Where all of the tokens are reached; `tokens` is the field of each in the request -> the token. Raises as
    `decode`."""
    seqs: dict[int, int] = {}
    for field, token in tokens.items():
        for shard, seq in decode(token, topology, version_key, field).seqs.items():
            seqs[shard] = max(seq, seqs.get(shard, 0))
    return Position(topology.epoch, topology.layout, version_key, seqs)


def written(token: str, field: str) -> Position:
    """What a token says, of whatever history and version it is. Raises invalid_token."""
    try:
        value: Any = signing.loads(token, salt=_SALT)
        epoch, layout, version_key, seqs = value
        return Position(epoch, layout, version_key, {int(shard): seq for shard, seq in seqs.items()})
    except (signing.BadSignature, ValueError) as error:
        raise InvalidRequest("invalid_token", field=field) from error


def decode(token: str, topology: Topology, version_key: int, field: str = "min_token") -> Position:
    """The position in `token`, under the layout that is searched. Raises invalid_token, or token_expired when it is not
    of the epoch and model version that are searched, or of a layout that is gone."""
    position = written(token, field)
    if (position.epoch, position.version_key) != (topology.epoch, version_key):
        raise ServiceError("token_expired", field=field)
    if position.layout != topology.layout:
        # Every write reaches the logs of all live layouts, so what the token is of is in this one's logs by now.
        if position.layout not in {layout.pk for layout in live_layouts()}:
            raise ServiceError("token_expired", field=field)
        return newest(topology, version_key)
    known = heads(position.layout, position.version_key, position.seqs)
    if any(known.get(shard, 0) < seq for shard, seq in position.seqs.items()):
        raise InvalidRequest("invalid_token", "the token is ahead of the log", field=field)
    return position
