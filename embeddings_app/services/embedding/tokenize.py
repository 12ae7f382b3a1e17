"""Texts to token ids, by the tokenizer of an embedder: this process has none."""

import time
import uuid
from collections.abc import Sequence

from embedding_project.broker.dispatch import send_embed
from embedding_project.broker.inbox import ReplyInbox, reply_inbox
from embedding_project.contracts.errors import InvalidRequest, Unavailable
from embedding_project.contracts.limits import EMBED_BATCH_ITEMS, EMBED_DEADLINE_SECONDS
from embedding_project.contracts.messages import EmbedBatch, EmbedItem, EmbedReply, Lane, Purpose
from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.tokens import TokenizedText
from embedding_project.observing.request_context import current_origins
from embedding_project.threads.waiter import Waiter, on_the_wall
from embeddings_app.services.embedding.admission import embed_admission

Outcome = TokenizedText | str
_NO_TOKENIZER = "no_tokenizer"
_NOT_ANSWERED = "embedder_unavailable"


class _Awaited:
    """One batch under way."""

    def __init__(self, spec: ModelSpec, texts: Sequence[str], inbox: ReplyInbox, deadline: float) -> None:
        self._waiter = Waiter(deadline)
        self._reply: EmbedReply | None = None
        self._count = len(texts)
        self.batch = EmbedBatch(
            batch_id=uuid.uuid4().hex,
            inbox=inbox.name,
            purpose=Purpose.TOKENIZE,
            lane=Lane.INTERACTIVE,
            deadline=on_the_wall(deadline),
            use_cache=False,
            model=spec,
            items=tuple(EmbedItem(cache_key=b"", text=text) for text in texts),
            origins=current_origins(),
        )
        inbox.expect_embed(self.batch.batch_id, self._take)

    def _take(self, reply: EmbedReply) -> None:
        self._reply = reply
        self._waiter.wake()

    def outcomes(self) -> list[Outcome]:
        """Raises Unavailable when nothing came by the deadline."""
        self._waiter.wait()
        if self._reply is None:
            raise Unavailable(_NOT_ANSWERED)
        outcomes = [
            outcome if isinstance(outcome, str) else TokenizedText.from_frame(outcome) or _NOT_ANSWERED
            for outcome in self._reply.outcomes
        ]
        return outcomes if len(outcomes) == self._count else [_NOT_ANSWERED] * self._count


def tokenize(spec: ModelSpec, texts: Sequence[str]) -> list[TokenizedText]:
    """The tokens of each text, in order. Raises ServiceError: tokenising does not fail for one text alone."""
    patience = embed_admission().patience(Lane.INTERACTIVE)
    inbox, deadline = reply_inbox(), time.monotonic() + min(EMBED_DEADLINE_SECONDS, patience)
    awaited = [
        _Awaited(spec, texts[start : start + EMBED_BATCH_ITEMS], inbox, deadline)
        for start in range(0, len(texts), EMBED_BATCH_ITEMS)
    ]
    try:
        for one in awaited:
            send_embed(one.batch)
        outcomes = [outcome for one in awaited for outcome in one.outcomes()]
    finally:
        for one in awaited:
            inbox.forget(one.batch.batch_id)
    return [_tokens(outcome) for outcome in outcomes]


def _tokens(outcome: Outcome) -> TokenizedText:
    if outcome == _NO_TOKENIZER:
        raise InvalidRequest(_NO_TOKENIZER, field="model_id")
    if isinstance(outcome, str):
        raise Unavailable(outcome)
    return outcome
