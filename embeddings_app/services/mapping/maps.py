"""The map of a namespace: places of a sample of its documents, and of what is to be seen among them.

Sample and plane are kept by the position of the log, so that to look again, with another field or another query, costs
one read of the sample's metadata.
"""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from embedding_project.contracts.census import Value, scalars_of
from embedding_project.contracts.filters import Filter, to_wire
from embedding_project.contracts.limits import SEARCH_DEADLINE_SECONDS
from embedding_project.contracts.metadata import flatten
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vectors import Vector, from_bytes
from embeddings_app import registry
from embeddings_app.models import Namespace
from embeddings_app.records import reading
from embeddings_app.services import namespaces
from embeddings_app.services.documents import positions
from embeddings_app.services.mapping.plane import Plane, plane_of
from embeddings_app.services.mapping.sampling import sample_documents
from embeddings_app.services.search.query_vectors import Wanted, wanted_vector
from embeddings_app.services.topology import topology

_MOST_NUMBERS = 8_000_000
"""Of all vectors of a sample together, 32 MB: of longer vectors fewer are taken."""
_KEPT = 8
_Key: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapRequest:
    namespace: str
    filter: Filter | None
    limit: int
    path: str | None
    """Dotted path of the field whose values are told, None for none."""
    query: str | None
    """A text to place, in normal form."""
    ids: tuple[str, ...]
    """Documents to place, whether they are in the sample or not."""


@dataclass(frozen=True, slots=True)
class Spot:
    doc_id: str
    x: float
    y: float
    value: Value | None
    """Of the field: its scalar, the first one of a list, or None."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentMap:
    spots: tuple[Spot, ...]
    is_whole: bool
    """Every document that passes is there, but for those that wait for their vectors."""
    shares: tuple[float, float]
    query: tuple[float, float] | None
    named: tuple[Spot, ...]
    model_id: str
    model_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Laid:
    """A sample that lies in its plane."""

    keys: tuple[int, ...]
    places: Vector
    plane: Plane
    is_whole: bool


class _LaidOut:
    """The samples that were looked at last."""

    def __init__(self) -> None:
        self._kept: OrderedDict[_Key, _Laid] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: _Key) -> _Laid | None:
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
            return self._kept.get(key)

    def keep(self, key: _Key, laid: _Laid) -> None:
        with self._lock:
            self._kept[key] = laid
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)


_laid_out = _LaidOut()


def document_map(request: MapRequest) -> DocumentMap:
    """Raises unknown_namespace, and what embedding a query may raise."""
    deadline = time.monotonic() + SEARCH_DEADLINE_SECONDS
    space = namespaces.namespace(request.namespace)
    spec = registry.active_spec(space.model_id)
    vector = None
    if request.query is not None:
        # First: to sample a large namespace takes all of this time.
        vector, _ = wanted_vector(Wanted(query=request.query), spec, space, deadline, {})
    laid = _laid(space, spec, request)
    return DocumentMap(
        spots=_spots(laid, request.path),
        is_whole=laid.is_whole,
        shares=laid.plane.shares,
        query=None if vector is None else _rounded(laid.plane.places(vector[np.newaxis])[0]),
        named=_named(space, spec, laid.plane, request),
        model_id=spec.model_id,
        model_version=spec.version,
    )


def _laid(space: Namespace, spec: ModelSpec, request: MapRequest) -> _Laid:
    now = topology()
    position = positions.newest(now, spec.version_key)
    chosen = (space.pk, to_wire(request.filter) if request.filter else "", request.limit)
    key = (*chosen, position.epoch, position.layout, spec.version_key, *sorted(position.seqs.items()))
    if kept := _laid_out.get(key):
        return kept
    most = max(1, min(request.limit, _MOST_NUMBERS // spec.dimension))
    sample = sample_documents(space.pk, request.filter, most, time.monotonic)
    stored = reading.read_vectors(spec.version_key, sample.keys)
    keys = tuple(one for one in sample.keys if one in stored)
    # A namespace whose documents all wait for their vectors still has a plane, in which nothing lies.
    vectors = from_bytes(b"".join(stored[one] for one in keys), spec.dimension)
    plane = plane_of(vectors if keys else np.zeros((1, spec.dimension), np.float32))
    laid = _Laid(keys=keys, places=plane.places(vectors), plane=plane, is_whole=sample.is_whole)
    _laid_out.keep(key, laid)
    return laid


def _spots(laid: _Laid, path: str | None) -> tuple[Spot, ...]:
    living = reading.read_living(laid.keys, with_metadata=path is not None)
    found = []
    for key, place in zip(laid.keys, laid.places, strict=True):
        if key in living:
            doc_id, metadata = living[key]
            found.append(Spot(doc_id, *_rounded(place), _value(metadata, path)))
    return tuple(found)


def _named(space: Namespace, spec: ModelSpec, plane: Plane, request: MapRequest) -> tuple[Spot, ...]:
    """In the order of the request; without those that are gone or have no vector yet."""
    rows = reading.read_documents(space.pk, spec.version_key, request.ids) if request.ids else {}
    stored = reading.read_vectors(spec.version_key, [row.key for row in rows.values()]) if rows else {}
    there = [one for one in request.ids if one in rows and rows[one].key in stored]
    vectors = from_bytes(b"".join(stored[rows[one].key] for one in there), spec.dimension)
    places = plane.places(vectors)
    return tuple(
        Spot(one, *_rounded(place), _value(rows[one].metadata, request.path))
        for one, place in zip(there, places, strict=True)
    )


def _value(metadata: dict[str, Any] | None, path: str | None) -> Value | None:
    found = scalars_of(flatten(metadata).get(path)) if metadata and path else ()
    return next((value for _, value in found), None)


def _rounded(place: Vector) -> tuple[float, float]:
    return round(float(place[0]), 5), round(float(place[1]), 5)
