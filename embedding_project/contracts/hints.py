"""The hint that documents wait to be indexed, with the requests that wrote them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from embedding_project.contracts.origins import Origin, Origins

ORIGINS_HEADER = "origins"


@dataclass(frozen=True, slots=True)
class IndexHint:
    document_keys: tuple[int, ...]
    origins: Origins
    """The request behind each document, in their order; without documents, the requests that ask for indexing."""

    def headers(self) -> dict[str, list[tuple[str, str, int]]]:
        """The origins as a header of the message: each once for a run of its documents."""
        runs = [(origin, len(list(run))) for origin, run in groupby(self.origins)]
        return {ORIGINS_HEADER: [(*origin, length) for origin, length in runs]}

    @classmethod
    def from_message(cls, document_keys: Sequence[int], headers: Mapping[str, Any] | None) -> "IndexHint":
        """Without a sound header, the hint has no origins."""
        try:
            runs = [(Origin(str(name), str(parent)), int(n)) for name, parent, n in (headers or {})[ORIGINS_HEADER]]
        except (LookupError, TypeError, ValueError):
            return cls(tuple(document_keys), ())
        # A header that claims more than there are documents must not cost memory.
        most = max(len(document_keys), 1)
        origins = tuple(origin for origin, length in runs for _ in range(min(length, most)))
        return cls(tuple(document_keys), origins[:most])
