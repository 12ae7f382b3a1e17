"""How many documents each namespace of an index has, as far as a sender of searches needs to know."""

import json
from heapq import nlargest

LEAST_NAMED = 4_096
"""An exact search of fewer documents takes a node less than a millisecond."""
MOST_NAMED = 64


class NamespaceSizes:
    """Of the namespaces with many documents. Not thread-safe."""

    def __init__(self, most_named: int = MOST_NAMED) -> None:
        self._most_named = most_named
        self._documents: dict[int, int] = {}

    def note(self, namespace_key: int, documents: int) -> None:
        if documents >= LEAST_NAMED:
            self._documents[namespace_key] = documents
        else:
            self._documents.pop(namespace_key, None)

    def forget(self, namespace_key: int) -> None:
        self._documents.pop(namespace_key, None)

    def to_json(self) -> str:
        """The largest by key: `named`. No other one has more documents than: `others`."""
        named = self._documents
        if len(named) > self._most_named:
            named = dict(nlargest(self._most_named, named.items(), key=lambda entry: entry[1]))
        others = LEAST_NAMED if len(named) == len(self._documents) else min(named.values())
        return json.dumps({"named": named, "others": others})
