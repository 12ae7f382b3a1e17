"""The setting `text_search` of a namespace, and the words that follow it in the background.

Who changes the setting waits for all writers of the model. So documents that were written before are those that a walk
finds, and later writes bring their words themselves.
"""

import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from django.db import DatabaseError

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.languages import OFF
from embeddings_app.database.fault_names import fault_name
from embeddings_app.models import Namespace
from embeddings_app.records import model_locks, words
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit
from embeddings_app.services import namespaces as known_namespaces

CHUNK_DOCUMENTS = 500
"""Of one transaction, whose words are one statement."""
logger = logging.getLogger(__name__)


def set_text_search(name: str, language: str, actor: str) -> Namespace:
    """`off`, or a language. Raises unknown_namespace, and text_not_kept."""
    model_id = known_namespaces.namespace(name).model_id

    def change() -> Namespace:
        model_locks.lock_exclusive(model_id)
        space = Namespace.objects.filter(name=name).first()
        if space is None:
            raise ServiceError("unknown_namespace", field="name")
        check_texts_kept(language, store_text=space.store_text)
        if space.text_search != language:
            words.set_language(space, language)
            audit.record(actor, "namespace.text_search", name, {"before": space.text_search, "after": language})
            space.refresh_from_db()
        return space

    space = in_transaction(change)
    known_namespaces.forget_cached()
    return space


def check_texts_kept(language: str, *, store_text: bool) -> None:
    """Words in their places are a text. Raises text_not_kept."""
    if language != OFF and not store_text:
        raise ServiceError(
            "text_not_kept", "the namespace keeps no texts, so it cannot keep words", field="text_search"
        )


@dataclass(frozen=True, slots=True)
class Followed:
    documents: int
    """Whose words are as the settings say now."""
    last_key: int
    """Of the namespace that had the last turn."""
    problem: str
    """What failed in a namespace; empty where nothing did."""


def follow_settings(
    until: float,
    after: int = 0,
    clock: Callable[[], float] = time.monotonic,
    chunk: int = CHUNK_DOCUMENTS,
    most_bytes: int = words.MOST_BYTES,
) -> Followed:
    """Bring words to what the settings say until the time is over: a chunk of each namespace in turn, beginning behind
    the one with the key `after`. A small one waits for no large one, and none for one where the database fails."""
    unfinished = words.unfinished()
    waiting = deque(sorted(unfinished, key=lambda space: (space.pk <= after, space.pk)))
    documents, problem = 0, ""
    while waiting and clock() < until:
        space = waiting.popleft()
        after = space.pk
        try:
            done = _step(space, chunk, most_bytes)
        except (DatabaseError, ServiceError) as error:
            problem = fault_name(error)
            logger.warning("words of namespace %d: %s", space.pk, problem)
            continue
        documents += done.documents
        if not done.is_last:
            waiting.append(space)
    return Followed(documents, after, problem)


def _step(space: Namespace, chunk: int, most_bytes: int) -> words.Step:
    def step() -> words.Step:
        model_locks.lock_shared(space.model_id)
        # Once more, under the lock: the setting may be another by now.
        now = Namespace.objects.filter(pk=space.pk, words_reached__isnull=False, dropped_at__isnull=True).first()
        if now is None:
            return words.Step(0, is_last=True)
        return words.empty(now, chunk) if now.text_search == OFF else words.fill(now, chunk, most_bytes)

    return in_transaction(step)
