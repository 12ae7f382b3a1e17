"""Messages of Celery from a template, for tasks whose messages are many and small.

`apply_async` makes a message in about half a millisecond, most of it for options that no message here has. So Celery
publishes one example of each kind into a broker in memory, and every message repeats that example with its own ids,
queue, times and body. A Celery worker takes such a message as it takes one of `apply_async`.
"""

import base64
import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, NamedTuple

import msgpack
from celery import Celery, group
from kombu import Connection

_HOLES = ("body", "task_id", "group_id", "group_index", "expires", "expiration", "queue", "delivery_tag")
_NO_REPR = "-"
"""Stands for arguments in message metadata, since they hold user text."""


class QueuedMessage(NamedTuple):
    queue: str
    text: str


@dataclass(frozen=True, slots=True)
class TaskTemplate:
    """Of the messages for one task: JSON with a place for each of _HOLES, as the operator % fills them."""

    text: str
    embed: dict[str, Any]
    """What Celery puts behind the arguments in a body: the callbacks of the task, of which there are none."""

    def messages(self, queues: Sequence[str], argument: bytes, deadline: float) -> list[QueuedMessage]:
        """One for each queue, all with the same argument, as one group. `deadline`: seconds since the epoch."""
        now = datetime.now(UTC)
        expires = max(datetime.fromtimestamp(deadline, UTC), now)
        common = {
            "body": base64.b64encode(msgpack.packb(((argument,), {}, self.embed))).decode(),
            "group_id": uuid.uuid4(),
            "expires": expires.isoformat(),
            "expiration": int(1_000 * (expires - now).total_seconds()),
        }
        return [
            QueuedMessage(
                queue,
                self.text
                % {
                    **common,
                    "queue": queue,
                    "group_index": place,
                    "task_id": uuid.uuid4(),
                    "delivery_tag": uuid.uuid4(),
                },
            )
            for place, queue in enumerate(queues)
        ]


@cache
def task_template(app: Celery, task: str) -> TaskTemplate:
    """Of `task`, from an example that Celery makes; later calls give the same one."""
    example = _published(app, task)
    _, _, embed = msgpack.unpackb(base64.b64decode(example["body"]))
    headers, properties = example["headers"], example["properties"]
    example["body"] = _hole("body")
    headers["id"] = headers["root_id"] = properties["correlation_id"] = _hole("task_id")
    headers["group"], headers["group_index"] = _hole("group_id"), _hole("group_index")
    headers["expires"], properties["expiration"] = _hole("expires"), _hole("expiration")
    properties["delivery_info"]["routing_key"] = _hole("queue")
    properties["delivery_tag"] = _hole("delivery_tag")
    text = json.dumps(example).replace("%", "%%")
    for name in _HOLES:
        text = text.replace(_hole(name), f"%({name})s")
    # The only number among the holes.
    return TaskTemplate(text.replace('"%(group_index)s"', "%(group_index)s"), embed)


def _published(app: Celery, task: str) -> dict[str, Any]:
    """The message that Celery writes for a task of a group."""
    # Celery warns of a time that is over.
    soon = datetime.now(UTC) + timedelta(minutes=1)
    options = {"queue": "example", "expires": soon, "argsrepr": _NO_REPR, "kwargsrepr": _NO_REPR}
    with Connection("memory://") as connection, connection.channel() as channel:
        producer = app.amqp.Producer(channel)
        group([app.signature(task, args=(b"",), options=options)]).apply_async(producer=producer)
        message: dict[str, Any] = channel.queues["example"].get_nowait()
    return message


def _hole(name: str) -> str:
    return f"<<{name}>>"
