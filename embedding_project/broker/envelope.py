"""The messages of Celery as kombu writes them into a Redis list, for workers that drain their queues themselves.

JSON {"body": base64, "headers": {"task", ...}, "content-type", "content-encoding", "properties"}; the body is msgpack
of (args, kwargs, embed). Messages keep that form, so a plain Celery worker may take the same queues.
"""

import base64
import json

import msgpack

CONTENT_TYPE = "application/x-msgpack"
MALFORMED = (LookupError, TypeError, ValueError, AttributeError, RecursionError, msgpack.UnpackException)
"""The errors of reading a malformed message."""


class CorruptMessage(Exception):
    """A message that does not belong into its queue; the text names the kind of fault, never content."""


def task_argument(raw: bytes, task: str) -> bytes:
    """The only argument of a message for `task`, in its wire form. Raises CorruptMessage."""
    found, argument = task_and_argument(raw)
    if found != task:
        raise CorruptMessage("another task")
    return argument


def task_and_argument(raw: bytes) -> tuple[str, bytes]:
    """The task of a message and its only argument, in its wire form. Raises CorruptMessage."""
    try:
        message = json.loads(raw)
        task = message["headers"]["task"]
        if isinstance(task, str) and message["content-type"] == CONTENT_TYPE:
            (argument,), _, _ = msgpack.unpackb(base64.b64decode(message["body"], validate=True))
            if isinstance(argument, bytes):
                return task, argument
    except MALFORMED as error:
        # The error may quote the message, so only its type is passed on.
        raise CorruptMessage(type(error).__name__) from None
    raise CorruptMessage("another argument or content type")
