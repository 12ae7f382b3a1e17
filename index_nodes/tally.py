"""Running totals of one index, for the heartbeat of the node."""

import hashlib

DIGEST_MODULUS = 2**63


def document_hash(document_key: int, revision: int, text_revision: int) -> int:
    """The first 8 bytes of an MD5. SQL computes the same:
    ('x' || left(md5(document_key || ':' || revision || ':' || text_revision), 16))::bit(64)::bigint modulo 2^63."""
    digest = hashlib.md5(b"%d:%d:%d" % (document_key, revision, text_revision), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") % DIGEST_MODULUS


class Tally:
    """Adds each count to a larger tally too, when it is a part of one."""

    def __init__(self, whole: "Tally | None" = None) -> None:
        self._whole = whole
        self.documents = 0
        """Live documents."""
        self.graph_documents = 0
        """Live documents whose vector is in a graph."""
        self.flat_segments = 0
        self.graph_segments = 0
        self.digest = 0
        """Sum of `document_hash` over the live documents, modulo 2^63: equal for equal contents in any order."""

    def count(self, document_key: int, revision: int, text_revision: int) -> None:
        self.add(1, document_hash(document_key, revision, text_revision))

    def forget(self, document_key: int, revision: int, text_revision: int) -> None:
        self.add(-1, -document_hash(document_key, revision, text_revision))

    def count_in_graphs(self, documents: int) -> None:
        """Count so many more documents, or fewer when negative."""
        self.graph_documents += documents
        if self._whole:
            self._whole.count_in_graphs(documents)

    def count_segments(self, *, flat: int = 0, graph: int = 0) -> None:
        """Count so many more segments of each kind, or fewer when negative."""
        self.flat_segments += flat
        self.graph_segments += graph
        if self._whole:
            self._whole.count_segments(flat=flat, graph=graph)

    def add(self, documents: int, digest: int) -> None:
        self.documents += documents
        self.digest = (self.digest + digest) % DIGEST_MODULUS
        if self._whole:
            self._whole.add(documents, digest)
