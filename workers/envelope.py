"""The messages of the embed lanes as kombu writes them into a Redis list.

JSON {"body": base64, "headers": {"task", ...}, "content-type", "content-encoding", "properties"}; the body is msgpack
of (args, kwargs, embed), and the only argument is the wire form of an `EmbedBatch`.
"""

import base64
import json
from types import UnionType

import msgpack

from embedding_project.celery import EMBED_TASK
from embedding_project.contracts.messages import EmbedBatch

CONTENT_TYPE = "application/x-msgpack"
_MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RecursionError, msgpack.UnpackException)


class CorruptMessage(Exception):
    """A message that is no embed batch; the text names the kind of fault, never content."""


def decode_message(raw: bytes) -> EmbedBatch:
    """The batch in `raw`. Raises CorruptMessage."""
    try:
        message = json.loads(raw)
        task, content_type = message["headers"]["task"], message["content-type"]
        if task == EMBED_TASK and content_type == CONTENT_TYPE:
            args, _, _ = msgpack.unpackb(base64.b64decode(message["body"], validate=True))
            return _checked(EmbedBatch.from_wire(args[0]))
    except _MALFORMED as error:
        # The fault itself may quote the message, so only its kind is told.
        raise CorruptMessage(type(error).__name__) from None
    raise CorruptMessage("another task or content type")


def _checked(batch: EmbedBatch) -> EmbedBatch:
    # msgpack knows no schema: a field of another type would only fail later, in the middle of other people's work.
    fields: list[tuple[object, type | UnionType]] = [
        (batch.batch_id, str),
        (batch.inbox, str),
        (batch.deadline, int | float),
        (batch.use_cache, bool),
        *((value, str | int) for value in batch.model.to_wire().values()),
        *((item.cache_key, bytes) for item in batch.items),
        *((item.text, str) for item in batch.items),
    ]
    if not batch.items or not all(isinstance(value, kind) for value, kind in fields):
        raise TypeError
    return batch
