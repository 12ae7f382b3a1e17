"""From a message of the embed lanes to the batch in it."""

from types import UnionType

from embedding_project.broker.envelope import MALFORMED, CorruptMessage, task_argument
from embedding_project.contracts.messages import EmbedBatch, EmbedHead
from embedding_project.contracts.queues import EMBED_TASK


class UnknownBatch(CorruptMessage):
    """A batch with something that this code does not know. Whoever left that out would answer another question."""

    def __init__(self, fault: str, head: EmbedHead) -> None:
        super().__init__(fault)
        self.head = head


def decode_message(raw: bytes) -> EmbedBatch:
    """The batch in `raw`. Raises UnknownBatch, CorruptMessage."""
    argument = task_argument(raw, EMBED_TASK)
    try:
        return _checked(EmbedBatch.from_wire(argument))
    except MALFORMED as error:
        raise _fault(type(error).__name__, argument) from None


def _fault(name: str, argument: bytes) -> CorruptMessage:
    try:
        return UnknownBatch(name, EmbedHead.from_wire(argument))
    except MALFORMED:
        return CorruptMessage(name)


def _checked(batch: EmbedBatch) -> EmbedBatch:
    # msgpack has no schema: without this check, a field of a wrong type would fail later, in the middle of other work.
    fields: list[tuple[object, type | UnionType]] = [
        (batch.batch_id, str),
        (batch.inbox, str),
        (batch.deadline, int | float),
        (batch.use_cache, bool),
        *((value, str | int) for value in batch.model.to_wire().values()),
    ]
    if not batch.items or not all(isinstance(value, kind) for value, kind in fields):
        raise TypeError
    types = [set(map(type, values)) for values in zip(*batch.items, strict=True)]
    if types != [{bytes}, {str}, {bytes}, {int}, {bool}, {str}]:
        raise TypeError
    return batch
