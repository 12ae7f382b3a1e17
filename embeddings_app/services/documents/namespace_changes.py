"""Namespaces made on purpose, listed, and dropped.

A drop takes the name away from the namespace. From then on nobody finds it, and a write makes a new one of that name.
Its documents go in the background, as any deletes: so index nodes free what they hold, and logs and tombstones are
trimmed. The row of the namespace is the last to go.
"""

import logging
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.languages import OFF
from embedding_project.threads.waiter import rest
from embeddings_app import registry
from embeddings_app.database.fault_names import fault_name
from embeddings_app.models import Namespace
from embeddings_app.records import bulk_jobs, model_locks, namespaces, operations
from embeddings_app.records.document_walk import Walk
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit
from embeddings_app.services import namespaces as known_namespaces
from embeddings_app.services.documents.deleting import delete_many
from embeddings_app.services.documents.text_search_setting import check_texts_kept, set_text_search
from embeddings_app.services.namespaces import FRESH_SECONDS

CHUNK_DOCUMENTS = 1_000
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamespaceEntry:
    name: str
    model_id: str
    store_text: bool
    text_search: str
    """Language of the words that are kept, or `off`."""
    created_at: datetime
    count: int
    count_is_exact: bool
    """Otherwise there are at least as many documents."""


def list_namespaces(names: Collection[str], after: str, limit: int) -> list[NamespaceEntry]:
    """In the order of their names; those of `names`, or all when there are none."""
    found = namespaces.list_namespaces(names or None, after, limit)
    counts = operations.count_documents([space.pk for space in found])
    return [_entry(space, counts[space.pk].counted) for space in found]


def create(
    name: str, model_id: str | None, *, store_text: bool, actor: str, text_search: str | None = None
) -> tuple[NamespaceEntry, bool]:
    """The namespace, and whether it was made now; `text_search` None takes what there is. Raises namespace_exists when
    there is one with other settings, and unknown_model, model_not_active, text_not_kept."""
    spec = registry.active_spec(model_id)
    check_texts_kept(text_search or OFF, store_text=store_text)

    def make() -> tuple[Namespace, bool]:
        model_locks.lock_shared(spec.model_id)
        existed = Namespace.objects.filter(name=name).exists()
        claimed = namespaces.claim_namespace(name, spec.model_id, store_text=store_text, text_search=text_search or OFF)
        return claimed, not existed

    space, made = in_transaction(make)
    other_model = model_id is not None and space.model_id != spec.model_id
    if other_model or space.store_text != store_text or text_search not in (None, space.text_search):
        raise ServiceError(
            "namespace_exists",
            f"namespace {name!r} belongs to model {space.model_id!r}, "
            f"{'keeps' if space.store_text else 'does not keep'} texts, and has text search {space.text_search!r}",
            field="name",
        )
    if made:
        settings = {"model": spec.model_id, "store_text": store_text, "text_search": space.text_search}
        audit.record(actor, "namespace.created", name, settings)
    return _entry(space, operations.count_documents([space.pk])[space.pk].counted), made


def drop(name: str, actor: str, pause: Callable[[float], None] = rest) -> bool:
    """Take the namespace away; False when there is none. When it returns, every process has heard of it. Raises
    namespace_in_use."""
    space = Namespace.objects.filter(name=name).first()
    if space is None:
        return False

    def take_away() -> None:
        # Writers of the model that know the namespace by its name have committed, and later ones make a new one.
        model_locks.lock_exclusive(space.model_id)
        if job := bulk_jobs.open_into(name):
            raise ServiceError("namespace_in_use", f"{name!r} is loaded: {bulk_jobs.way_on(job)}", field="name")
        namespaces.free_name(space)
        audit.record(actor, "namespace.dropped", name, {"model": space.model_id})

    in_transaction(take_away)
    known_namespaces.forget_cached()
    # Other processes hold what they know of a namespace for so long.
    pause(FRESH_SECONDS)
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Emptied:
    """What was done to dropped namespaces."""

    documents: int
    """Deleted."""
    forgotten: int
    """Namespaces of which nothing is left."""
    reached: dict[str, str | None]
    """Key of each other one -> the id up to which its documents are deleted, None when all of them are."""
    problem: str
    """What failed in a namespace; empty where nothing did."""


def empty_dropped(
    seconds: float,
    reached: Mapping[str, str | None],
    clock: Callable[[], float] = time.monotonic,
    chunk: int = CHUNK_DOCUMENTS,
) -> Emptied:
    """Delete documents of dropped namespaces for some seconds, and forget those that have not even tombstones any more.

    `reached`: where the time before has come. Nobody writes to a dropped namespace, so no walk goes back over the
    tombstones that it left. None waits long for one where the database fails and which takes all of the time: each
    run goes through them in another order.
    """
    until, documents, forgotten, problem = clock() + seconds, 0, 0, ""
    now_reached: dict[str, str | None] = {}
    for space in random.sample(dropped := namespaces.dropped_namespaces(), len(dropped)):
        walk, key = Walk(space.pk, None), str(space.pk)
        last, gone = reached.get(key, ""), False
        try:
            while last is not None and clock() < until:
                window = walk.step(last, chunk)
                documents += delete_many(space, [one.doc_id for one in window.passed])
                last = window.last
            gone = last is None and namespaces.forget_namespace(space)
        except (DatabaseError, ServiceError) as error:
            problem = fault_name(error)
            logger.warning("dropped namespace %d: %s", space.pk, problem)
        if gone:
            forgotten += 1
        else:
            now_reached[key] = last
    return Emptied(documents=documents, forgotten=forgotten, reached=now_reached, problem=problem)


def change_text_search(name: str, language: str, actor: str) -> NamespaceEntry:
    """Raises unknown_namespace, text_not_kept."""
    space = set_text_search(name, language, actor)
    return _entry(space, operations.count_documents([space.pk])[space.pk].counted)


def _entry(space: Namespace, counted: int) -> NamespaceEntry:
    return NamespaceEntry(
        name=space.name,
        model_id=space.model_id,
        store_text=space.store_text,
        text_search=space.text_search,
        created_at=space.created_at,
        count=min(counted, operations.NAMESPACE_COUNT_CAP),
        count_is_exact=counted <= operations.NAMESPACE_COUNT_CAP,
    )
