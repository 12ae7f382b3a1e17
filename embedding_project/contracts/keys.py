"""Hashes that every role must compute in the same way: cache keys, content hashes, the shard of a document."""

import hashlib
import struct
from enum import StrEnum

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.text import NORMAL_FORM_VERSION


class InputType(StrEnum):
    """Whether a text is a query or a document: models may put a different prompt before each."""

    QUERY = "query"
    DOCUMENT = "document"


def _digest(*fields: str | bytes | int) -> bytes:
    # Each field has its length in front, so that ("m1", "2foo") and ("m12", "foo") give different hashes.
    hasher = hashlib.sha256()
    for field in fields:
        raw = field if isinstance(field, bytes) else str(field).encode()
        hasher.update(struct.pack("<I", len(raw)))
        hasher.update(raw)
    return hasher.digest()


def cache_key(model: ModelSpec, input_type: InputType, text: str, *, keep_end: bool = False) -> bytes:
    """32 bytes that name the vector of `text` (in normal form) under one model version and prompt. A long text is cut
    at its end, or with `keep_end` at its beginning."""
    key = hashed_cache_key(model, input_type, content_hash(text))
    return _digest(key, "keep end") if keep_end else key


def hashed_cache_key(model: ModelSpec, input_type: InputType, text_hash: bytes) -> bytes:
    """The cache key of the text with this content hash: a delete can name the entry of a text that is not stored."""
    return _digest(
        model.model_id, model.version, model.prompt(input_type), model.max_tokens, NORMAL_FORM_VERSION, text_hash
    )


def ids_cache_key(model: ModelSpec, ids: bytes) -> bytes:
    """32 bytes that name the vector of token ids under one model version; no text has the same key."""
    # One field fewer than in the key of a text, and each field has its length in front.
    return _digest(model.model_id, model.version, "token ids", model.max_tokens, ids)


def pair_cache_key(model: ModelSpec, query: str, text: str) -> bytes:
    """32 bytes that name the score of a query and a text (in normal form) under one model version."""
    hashes = content_hash(query), content_hash(text)
    return _digest(model.model_id, model.version, "pair", model.max_tokens, NORMAL_FORM_VERSION, *hashes)


def content_hash(text: str) -> bytes:
    """32 bytes that name a text; two documents of equal text share the inference, never the write."""
    return _digest(NORMAL_FORM_VERSION, text)


def shard_hash(namespace: str, doc_id: str) -> int:
    """A number in [0, 2^31) that decides the shard of a document under every layout."""
    return int.from_bytes(_digest(namespace, doc_id)[:4], "little") >> 1


def shard_of(hashed: int, shards: int) -> int:
    return hashed % shards
