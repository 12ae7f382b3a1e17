"""What is asked of a tokenizer: the tokens of items that are to be embedded, and answers to tokenise requests."""

from collections.abc import Sequence

from embedding_project.contracts.messages import EmbedBatch, EmbedItem
from embedding_project.contracts.tokens import unpack_ids
from workers.compute import isolate
from workers.encoders.base import PLAIN_WORD, Encoder, Tokens
from workers.encoders.vocabulary import HasVocabulary
from workers.tickets import MODEL_ERROR, Outcome

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


def described(encoder: Encoder, batch: EmbedBatch) -> list[Outcome]:
    """What the tokenizer says of each text of `batch`. Raises ModelAway."""
    if not isinstance(encoder, HasVocabulary):
        return [NO_TOKENIZER] * len(batch.items)
    found = isolate(encoder.vocabulary.describe, [item.text for item in batch.items], _plain)
    return [MODEL_ERROR if text is None else text.to_frame() for text in found]


def _plain() -> list[str]:
    return [PLAIN_WORD]
