"""Short names for what the tests of model versions do: a model of two versions, and its backfill without Celery."""

import itertools
from collections.abc import Sequence

from embeddings_app import registry
from embeddings_app.models import ModelRegistry, ModelStatus, ReembedChunk, ReembedRun
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.indexing.indexing import Embed
from embeddings_app.services.model_versions.indexes import clear_ended_versions, prepare_indexes
from embeddings_app.services.reembedding import runs
from embeddings_app.services.reembedding.chunks import work_on_chunk
from embeddings_app.services.reembedding.waves import advance
from tests.integration.indexing_steps import document, embed, request, rows

ACTOR = "command:tests"
SPACE = "reembedding"
UNMEASURED = "no node follows the logs of these tests, so nothing can be measured"
Versions = tuple[ModelRegistry, ModelRegistry]
_names = itertools.count()


def new_model() -> tuple[ModelRegistry, ModelRegistry]:
    """A model whose first version is active, and a second one that has passed its probe."""
    model_id = f"steps-{next(_names)}"
    first = ModelRegistry.objects.create(
        model_id=model_id, type="transformers", artifact="hashing", dimension=8, status=ModelStatus.ACTIVE
    )
    prepare_indexes(first)
    second = ModelRegistry.objects.create(
        model_id=model_id, version=2, type="transformers", artifact="hashing", dimension=16, status=ModelStatus.PROBED
    )
    registry.forget_cached()
    return first, second


def forget_model(first: ModelRegistry) -> None:
    """Leave no live version behind: the writes of other tests would have to reach it."""
    ModelRegistry.objects.filter(model_id=first.model_id, status=ModelStatus.ACTIVE).update(status="standby")
    ModelRegistry.objects.filter(model_id=first.model_id, status="backfilling").update(status="probed")
    ModelRegistry.objects.filter(model_id=first.model_id, status__in=["standby", "shadow"]).update(status="retiring")
    clear_ended_versions(60.0)
    ReembedRun.objects.filter(model_id=first.model_id).delete()
    registry.forget_cached()


def start(version: ModelRegistry, **options: float) -> ReembedRun:
    return runs.start(version, ACTOR, **options)


def no_send(_run: int, _wave: int, _chunks: Sequence[int]) -> None:
    """The messages are lost."""


def next_chunks(run: ReembedRun) -> list[int]:
    """Make the next wave; gives the keys of its chunks."""
    run.refresh_from_db()
    advance(run.pk, run.wave, no_send)
    run.refresh_from_db()
    return list(ReembedChunk.objects.filter(run=run, wave=run.wave, finished_at=None).values_list("pk", flat=True))


def work(run: ReembedRun, using: Embed = embed) -> None:
    """All waves of the run, up to its end."""
    while chunks := next_chunks(run):
        for chunk in chunks:
            work_on_chunk(chunk, using, lambda _: None)
    run.refresh_from_db()


def vectors(version: ModelRegistry) -> dict[str, int]:
    """Document id -> revision of the text whose vector is stored."""
    return dict(
        rows(
            """
            SELECT d.doc_id, v.text_revision FROM embedding_vector v JOIN document d ON d.id = v.document_id
            WHERE v.model_version_id = %s
            """,
            version.pk,
        )
    )


def write(version: ModelRegistry, *texts: str, namespace: str = SPACE) -> None:
    """Upsert texts, each under itself as its id."""
    upsert(request(*(document(text, text) for text in texts), namespace=namespace, model_id=version.model_id))


def rewrite(version: ModelRegistry, doc_id: str, text: str) -> None:
    upsert(request(document(doc_id, text), namespace=SPACE, model_id=version.model_id))


def status(version: ModelRegistry) -> str:
    version.refresh_from_db()
    return version.status
