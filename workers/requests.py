"""What is asked of a tokenizer: the tokens of items that are to be embedded, and answers to tokenise requests."""

from collections.abc import Sequence

from embedding_project.contracts.messages import EmbedBatch, EmbedItem, EmbedReply
from embedding_project.contracts.tokens import unpack_ids
from workers.compute import isolate
from workers.encoders.base import PLAIN_WORD, Encoder, ModelAway, ModelError, Tokens
from workers.encoders.vocabulary import HasVocabulary
from workers.model_pool import ModelPool
from workers.tickets import MODEL_ERROR, MODEL_UNAVAILABLE, Outcome

NO_TOKENIZER = "no_tokenizer"
INVALID_IDS = "invalid_ids"


def tokens_of(encoder: Encoder, items: Sequence[EmbedItem]) -> list[Tokens | str]:
    """The tokens of each item, text or ids, or an error code. Raises ModelAway."""
    texts = iter(isolate(encoder.tokenize, [item.text for item in items if not item.ids], _plain))
    return [_read(encoder, item.ids) if item.ids else next(texts) or MODEL_ERROR for item in items]


def _read(encoder: Encoder, packed: bytes) -> Tokens | str:
    if not isinstance(encoder, HasVocabulary):
        return NO_TOKENIZER
    try:
        return encoder.vocabulary.read(unpack_ids(packed)) or INVALID_IDS
    except ValueError:
        return INVALID_IDS


def tokenize_reply(models: ModelPool, batch: EmbedBatch) -> EmbedReply:
    """The answer to a batch that only asks for tokens."""
    return EmbedReply(batch_id=batch.batch_id, outcomes=tuple(_described(models, batch)))


def _described(models: ModelPool, batch: EmbedBatch) -> list[Outcome]:
    try:
        encoder = models.get(batch.model)
    except ModelError:
        return [MODEL_UNAVAILABLE] * len(batch.items)
    if not isinstance(encoder, HasVocabulary):
        return [NO_TOKENIZER] * len(batch.items)
    try:
        described = isolate(encoder.vocabulary.describe, [item.text for item in batch.items], _plain)
    except ModelAway:
        return [MODEL_UNAVAILABLE] * len(batch.items)
    return [MODEL_ERROR if text is None else text.to_frame() for text in described]


def _plain() -> list[str]:
    return [PLAIN_WORD]
