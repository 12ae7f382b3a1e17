"""Vectors that need not be computed, since another version of the model has them that differs in its storage alone.

The files of a model may have been replaced under the same name. So one text of each batch is embedded all the same, and
the others are believed only when its vector is the stored one.
"""

from collections.abc import Sequence
from dataclasses import replace

from embedding_project.contracts.model_spec import ModelSpec
from embedding_project.contracts.vector_storage import VectorStorage
from embedding_project.contracts.vectors import Vector, from_bytes, unit_length
from embeddings_app import registry
from embeddings_app.records.embeddings import ReadText
from embeddings_app.records.reembedding import stored_vectors
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.indexing.indexing import Embed

_SAME = 0.99999
"""Cosine of two vectors of one text by one model: they differ by the texts that were computed beside it."""


def twin_of(spec: ModelSpec) -> ModelSpec | None:
    """A live version that makes the same vectors, as the registry has it, and whose nodes hold them in another way."""
    others = (other for other in registry.live_specs(spec.model_id) if other.storage is not spec.storage)
    return next((other for other in others if _makes(other) == _makes(spec)), None)


def _makes(spec: ModelSpec) -> ModelSpec:
    """What decides about the vectors of documents."""
    return replace(
        spec, version_key=0, version=0, storage=VectorStorage.FP32, query_prompt="", normalize=True, min_dimension=0,
        token_encoding="", secret_name="", requests_per_minute=0,
    )  # fmt: skip


def embed_but_known(
    spec: ModelSpec, texts: Sequence[ReadText], embed: Embed, twin: ModelSpec | None
) -> list[EmbedOutcome]:
    """The outcome of each text; those that `twin` has are embedded only when they turn out to be others."""
    known = stored_vectors(twin.version_key, texts) if twin else {}
    checked = next((text for text in texts if text.document_key in known), None)
    found: dict[int, EmbedOutcome] = {}

    def compute(wanted: Sequence[ReadText]) -> None:
        outcomes = embed(spec, [text.text for text in wanted]) if wanted else []
        found.update({text.document_key: outcome for text, outcome in zip(wanted, outcomes, strict=True)})

    compute([text for text in texts if text is checked or text.document_key not in known])
    rest = [text for text in texts if text.document_key not in found]
    if checked and rest and _is_same(found[checked.document_key].vector, known[checked.document_key]):
        found |= {text.document_key: _known(known[text.document_key], spec.dimension) for text in rest}
    else:
        compute(rest)
    return [found[text.document_key] for text in texts]


def _is_same(vector: Vector | None, stored: bytes) -> bool:
    if vector is None or len(stored) != 4 * len(vector):
        return False
    return float(unit_length(vector) @ from_bytes(stored, len(vector))[0]) >= _SAME


def _known(stored: bytes, dimension: int) -> EmbedOutcome:
    return EmbedOutcome(vector=from_bytes(stored, dimension)[0], tokens=0, truncated=False, cached=True, error=None)
