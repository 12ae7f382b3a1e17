"""Running totals of one index, which its heartbeat reports."""

import hashlib

_MODULUS = 2**63


def document_hash(document_key: int, revision: int, text_revision: int) -> int:
    """The first 8 bytes of an MD5, which SQL can compute alike:
    ('x' || left(md5(document_key || ':' || revision || ':' || text_revision), 16))::bit(64)::bigint modulo 2^63."""
    digest = hashlib.md5(b"%d:%d:%d" % (document_key, revision, text_revision), usedforsecurity=False).digest()
    return int.from_bytes(digest[:8], "big") % _MODULUS


class Tally:
    def __init__(self) -> None:
        self.documents = 0
        """Live documents."""
        self.graph_documents = 0
        """Live documents whose vector is in a graph."""
        self.digest = 0
        """Sum of `document_hash` over the live documents, modulo 2^63: equal for equal contents, in whatever order."""

    def count(self, document_key: int, revision: int, text_revision: int) -> None:
        self.documents += 1
        self.digest = (self.digest + document_hash(document_key, revision, text_revision)) % _MODULUS

    def forget(self, document_key: int, revision: int, text_revision: int) -> None:
        self.documents -= 1
        self.digest = (self.digest - document_hash(document_key, revision, text_revision)) % _MODULUS
