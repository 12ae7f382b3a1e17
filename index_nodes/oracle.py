"""An exact index in plain NumPy and Python: slow and obvious. Tests compare every faster answer with it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from embedding_project.contracts.filters import Filter, matches
from embedding_project.contracts.hits import Hit, rounded_scores
from embedding_project.contracts.metadata import flatten
from embedding_project.contracts.vectors import Vector


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class OracleDocument:
    namespace_key: int
    revision: int
    text_revision: int
    vector: Vector
    metadata: Mapping[str, Any]


class ExactIndex:
    def __init__(self) -> None:
        self.documents: dict[int, OracleDocument] = {}

    def matching(self, namespace_key: int, node: Filter | None) -> list[int]:
        """Keys of the documents of a namespace that pass the filter, in rising order."""
        return sorted(
            key
            for key, document in self.documents.items()
            if document.namespace_key == namespace_key and (node is None or matches(node, flatten(document.metadata)))
        )

    def search(self, namespace_key: int, query: Vector, top_k: int, node: Filter | None = None) -> list[Hit]:
        """The `top_k` nearest documents, best first, equal scores by document key."""
        keys = self.matching(namespace_key, node)
        vectors = np.array([self.documents[key].vector for key in keys], np.float64).reshape(len(keys), len(query))
        scores = rounded_scores(vectors @ query.astype(np.float64)).tolist()
        hits = [Hit(score, key, self.documents[key].text_revision) for score, key in zip(scores, keys, strict=True)]
        return sorted(hits, key=lambda hit: (-hit.score, hit.document_key))[:top_k]
