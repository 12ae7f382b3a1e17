"""Texts and vectors to measure with: a real collection where it lies beside the clone, else a stand-in, said aloud.

The collection is `packages.jsonl.gz` (one object a line: id, text, metadata) and `vectors.f16.npy` (row i of line i).
"""

import ast
import gzip
import json
import sysconfig
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from embedding_project.config import PROJECT_ROOT

COLLECTION = PROJECT_ROOT / ".." / "shared" / "data" / "debian"
DIMENSION = 384
BASE_VECTORS = 60_000
HELD_OUT_QUERIES = 1_000
_LARGE_QUERIES = 250
"""Of a larger set: the right answers of each take a row as long as the set."""
_SEED = 20_240_607
_CLUSTERS = 512
_CLUSTER_AXES = 24
"""Directions in which a stand-in cluster spreads. Graphs find such neighbours more easily than those of real texts."""
_ENLARGED_AT_ONCE = 10_000

Matrix = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Document:
    doc_id: str
    text: str
    metadata: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchSet:
    """Documents with vectors, and queries that are none of them."""

    documents: tuple[Document, ...]
    vectors: Matrix
    queries: Matrix
    """Both of unit length, one row each."""


def is_real() -> bool:
    return (COLLECTION / "vectors.f16.npy").exists()


def description() -> str:
    """What the results say about the data."""
    if is_real():
        return "63,666 package descriptions of Debian 12 and their all-MiniLM-L6-v2 vectors"
    return (
        f"stand-ins, because {COLLECTION.relative_to(PROJECT_ROOT)} is absent: docstrings of the Python standard "
        f"library, and vectors drawn from {_CLUSTERS} clusters"
    )


@cache
def documents() -> tuple[Document, ...]:
    """Distinct ids, texts of mixed length, in a fixed random order."""
    found = list(_collected() if is_real() else _docstrings())
    order = np.random.default_rng(_SEED).permutation(len(found))
    return tuple(found[position] for position in order)


def texts(count: int) -> list[str]:
    """Distinct texts of mixed length. Where there are not enough, further rounds carry a number."""
    distinct = list(dict.fromkeys(document.text for document in documents()))
    rounds = -(-count // len(distinct))
    return [text if turn == 0 else f"{turn}. {text}" for turn in range(rounds) for text in distinct][:count]


def short_texts(count: int) -> list[str]:
    """Distinct texts of eight words."""
    first_words = (" ".join(text.split()[:8]) for text in texts(min(8 * count, 40_000)))
    return list(dict.fromkeys(first_words))[:count]


def search_set(size: int = BASE_VECTORS) -> SearchSet:
    """Beyond BASE_VECTORS, an `enlarged_set` whose further documents have the metadata of known ones, and no text."""
    if size <= BASE_VECTORS:
        return _known_set(size)
    known = _known_set(BASE_VECTORS)
    vectors, queries = enlarged_set(size, _LARGE_QUERIES)
    more = (
        Document(f"more-{row}", "", known.documents[row % BASE_VECTORS].metadata) for row in range(BASE_VECTORS, size)
    )
    return SearchSet(documents=(*known.documents, *more), vectors=vectors, queries=queries)


def _known_set(size: int) -> SearchSet:
    if is_real():
        stored = np.load(COLLECTION / "vectors.f16.npy").astype(np.float32)
        order = np.random.default_rng(_SEED).permutation(len(stored))
        everything, rows = stored[order], documents()
    else:
        everything = _clustered(size + HELD_OUT_QUERIES)
        known = documents()
        rows = tuple(Document(f"v{row}", "", known[row % len(known)].metadata) for row in range(size))
    everything /= np.linalg.norm(everything, axis=1, keepdims=True)
    end = size + HELD_OUT_QUERIES
    return SearchSet(documents=rows[:size], vectors=everything[:size], queries=everything[size:end])


def enlarged_set(size: int, queries: int) -> tuple[Matrix, Matrix]:
    """Vectors and queries of unit length. Where more vectors are asked for than there are, further ones lie among the
    members of their cluster: a member, moved by half the way from one other member to another."""
    known = _known_set(min(size, BASE_VECTORS))
    if size <= len(known.vectors):
        return known.vectors, known.queries[:queries]
    random = np.random.default_rng(_SEED)
    kmeans = faiss.Kmeans(DIMENSION, _CLUSTERS, spherical=True, seed=1, niter=5)
    kmeans.train(known.vectors)
    owner = kmeans.index.search(known.vectors, 1)[1][:, 0]
    ordered = np.argsort(owner, kind="stable")
    first, count = np.searchsorted(owner[ordered], np.arange(_CLUSTERS)), np.bincount(owner, minlength=_CLUSTERS)
    vectors = np.empty((size, DIMENSION), np.float32)
    vectors[: len(known.vectors)] = known.vectors
    for start in range(len(known.vectors), size, _ENLARGED_AT_ONCE):
        rows = min(_ENLARGED_AT_ONCE, size - start)
        cluster = owner[random.integers(len(owner), size=rows)]
        one, other, third = (known.vectors[ordered[first[cluster] + random.integers(count[cluster])]] for _ in "abc")
        vectors[start : start + rows] = one + (other - third) / 2
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors, known.queries[:queries]


def _collected() -> Iterator[Document]:
    with gzip.open(COLLECTION / "packages.jsonl.gz", "rt", encoding="utf-8") as lines:
        for line in lines:
            item = json.loads(line)
            yield Document(item["id"], item["text"][:8_000], item["metadata"])


def _docstrings() -> Iterator[Document]:
    root = Path(sysconfig.get_path("stdlib"))
    for path in sorted(root.rglob("*.py")):
        if "site-packages" in path.parts or "test" in path.parts:
            continue
        try:
            tree = ast.parse(path.read_text(encoding="utf-8"))
        except (SyntaxError, UnicodeDecodeError):
            continue  # samples of broken code belong to the library too
        module = path.relative_to(root).as_posix()
        for node in ast.walk(tree):
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                text = (ast.get_docstring(node) or "").strip()
                line = getattr(node, "lineno", 0)
                if text:
                    yield Document(f"{module}:{line}", text[:8_000], {"module": module, "line": line})


def _clustered(count: int) -> Matrix:
    random = np.random.default_rng(_SEED)
    centres = random.standard_normal((_CLUSTERS, DIMENSION), dtype=np.float32)
    axes = random.standard_normal((_CLUSTERS, _CLUSTER_AXES, DIMENSION), dtype=np.float32) / np.sqrt(_CLUSTER_AXES)
    owner = random.integers(_CLUSTERS, size=count)
    spread = random.standard_normal((count, _CLUSTER_AXES), dtype=np.float32)
    rows = np.empty((count, DIMENSION), np.float32)
    for cluster in range(_CLUSTERS):
        members = owner == cluster
        rows[members] = centres[cluster] + spread[members] @ axes[cluster]
    return rows
