"""Writes that are done once for an `Idempotency-Key`, however often they are sent.

The answer is written in the transaction of the write, so there is never one without the other. A request that waited
for more than the commit puts its later answer in place of that one; should it die before, the answer of the commit
stays.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from django.db import Error as DatabaseError

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_KEPT_ANSWER_BYTES
from embeddings_app.database.fault_names import fault_name
from embeddings_app.records import kept_answers
from embeddings_app.records.kept_answers import StoredAnswer, WriteKey
from embeddings_app.records.transactions import RetryTransaction

KEY_HEADER = "Idempotency-Key"
_OK = 200
Written = TypeVar("Written")
Result = TypeVar("Result")
logger = logging.getLogger(__name__)


class AlreadyAnswered(Exception):
    """Another request with the key did the write meanwhile."""

    def __init__(self, answer: StoredAnswer) -> None:
        super().__init__("the key has an answer")
        self.answer = answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Once(Generic[Result]):
    key: WriteKey
    body_of: Callable[[Result], bytes]
    """The body of the answer."""

    def kept(self) -> StoredAnswer | None:
        """The answer that the request got before. Raises idempotency_key_reused for the answer of another request."""
        found = kept_answers.find_answer(self.key)
        if found and found.request_hash != self.key.request_hash:
            raise InvalidRequest("idempotency_key_reused", field=KEY_HEADER)
        return found

    def within(self, work: Callable[[], Written], result_of: Callable[[Written], Result]) -> Written:
        """Do `work` and keep its answer, in the caller's transaction. Raises AlreadyAnswered, and InvalidRequest."""
        if not kept_answers.claim_key(self.key):
            answer = self.kept()
            if answer is None:
                # Its time was over just now, and it was deleted.
                raise RetryTransaction
            raise AlreadyAnswered(answer)
        written = work()
        body = self.body_of(result_of(written))
        if len(body) > MAX_KEPT_ANSWER_BYTES:
            message = f"the answer has {len(body)} bytes, and {MAX_KEPT_ANSWER_BYTES} can be kept: name fewer documents"
            raise InvalidRequest("invalid_value", message, field=KEY_HEADER)
        kept_answers.keep_answer(self.key, _OK, body)
        return written

    def settle(self, body: bytes) -> None:
        """Keep the answer that is sent in place of the one of the commit. The write is done, so nothing is raised."""
        try:
            if len(body) <= MAX_KEPT_ANSWER_BYTES:
                kept_answers.keep_answer(self.key, _OK, body)
        except DatabaseError as error:
            logger.warning("the answer of the commit stays under its key: %s", fault_name(error))


def once_within(
    once: Once[Result] | None, work: Callable[[], Written], result_of: Callable[[Written], Result]
) -> Written:
    """`work`, with its answer kept when there is a key."""
    return work() if once is None else once.within(work, result_of)
