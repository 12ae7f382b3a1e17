"""A request for vectors: which model answers, what is sent to it, and the form its vectors are handed out in."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from embedding_project.contracts.errors import InvalidRequest, Unavailable
from embedding_project.contracts.keys import InputType
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS, MAX_EMBED_INPUTS
from embedding_project.contracts.messages import Lane
from embedding_project.contracts.model_spec import ModelSpec, ModelType
from embedding_project.contracts.vectors import Vector, unit_length
from embeddings_app import registry
from embeddings_app.services.embedding.embed import INFRASTRUCTURE_ERRORS, EmbedOutcome, embed_ids, embed_texts
from embeddings_app.services.embedding.hot_texts import count_queries

OWN_IDS = "own"
TOO_MANY_TOKENS = "too_many_tokens"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedRequest:
    model_id: str | None
    version: int | None = None
    """A version whose index is whole; None takes the active one."""
    texts: tuple[str, ...] = ()
    """In normal form."""
    ids: tuple[bytes, ...] = ()
    """Packed token ids, instead of texts."""
    input_type: InputType
    normalize: bool | None
    """None leaves it to the model."""
    dimensions: int | None = None
    """How many of the first components to return; None for all."""
    truncate: bool = True
    """Whether a text longer than the model reads is cut. If not, it fails alone."""
    keep_end: bool = False
    """Whether such a text loses its beginning, and not its end."""

    def __len__(self) -> int:
        return len(self.texts) + len(self.ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbedResult:
    model: ModelSpec
    outcomes: tuple[EmbedOutcome, ...]
    vectors: Vector
    """Shape (n, dimension), as they are handed out; a row of NaN where the outcome is an error."""

    @property
    def dimension(self) -> int:
        return int(self.vectors.shape[1])

    @property
    def tokens(self) -> int:
        return sum(outcome.tokens for outcome in self.outcomes)

    @property
    def first_error(self) -> tuple[int, str] | None:
        """Position and code of the first input that has no vector."""
        return next(((at, outcome.error) for at, outcome in enumerate(self.outcomes) if outcome.error), None)


def embed(request: EmbedRequest) -> EmbedResult:
    """Embed the inputs of a request. Raises ServiceError when no input can be embedded."""
    spec = text_model(request.model_id, request.version)
    dimension = _dimension(spec, request.dimensions)
    if request.ids and spec.token_encoding != OWN_IDS:
        raise InvalidRequest("ids_not_accepted", f"model {spec.model_id!r} takes text, not token ids", field="inputs")
    outcomes: list[EmbedOutcome] = []
    for part in _embedded_parts(spec, request):
        _raise_for_infrastructure(part)
        outcomes += part
    if not request.truncate:
        outcomes = [_failed_if_cut(outcome) for outcome in outcomes]
    normalize = spec.normalize if request.normalize is None else request.normalize
    vectors = _handed_out(outcomes, spec.dimension, dimension, normalize=normalize)
    return EmbedResult(model=spec, outcomes=tuple(outcomes), vectors=vectors)


def text_model(model_id: str | None, version: int | None = None) -> ModelSpec:
    """The active version of a model that embeds text, or another one whose index is whole. Raises ServiceError."""
    spec = registry.asked_spec(model_id, version)
    if spec.type is ModelType.EXTERNAL:
        raise InvalidRequest("vector_required", f"model {spec.model_id!r} does not embed text", field="model_id")
    return spec


def _dimension(spec: ModelSpec, wanted: int | None) -> int:
    if wanted is None or wanted == spec.dimension:
        return spec.dimension
    if not spec.min_dimension:
        message = f"model {spec.model_id!r} has {spec.dimension} dimensions and was not trained to be cut"
        raise InvalidRequest("invalid_value", message, field="dimensions")
    if not spec.min_dimension <= wanted <= spec.dimension:
        message = f"must be between {spec.min_dimension} and {spec.dimension}"
        raise InvalidRequest("invalid_value", message, field="dimensions")
    return wanted


def _embedded_parts(spec: ModelSpec, request: EmbedRequest) -> Iterator[list[EmbedOutcome]]:
    # One after the other, so that a large request never has more under way than a usual one.
    deadline = time.monotonic() + EMBED_DEADLINE_SECONDS
    for start in range(0, len(request.texts), MAX_EMBED_INPUTS):
        texts = request.texts[start : start + MAX_EMBED_INPUTS]
        if request.input_type is InputType.QUERY:
            count_queries(spec.model_id, texts)
        yield embed_texts(spec, request.input_type, texts, Lane.INTERACTIVE, deadline, keep_end=request.keep_end)
    for start in range(0, len(request.ids), MAX_EMBED_INPUTS):
        yield embed_ids(spec, request.ids[start : start + MAX_EMBED_INPUTS], deadline)


def _raise_for_infrastructure(outcomes: Sequence[EmbedOutcome]) -> None:
    for outcome in outcomes:
        if outcome.error in INFRASTRUCTURE_ERRORS:
            raise Unavailable(outcome.error)


def _failed_if_cut(outcome: EmbedOutcome) -> EmbedOutcome:
    return replace(outcome, vector=None, error=TOO_MANY_TOKENS) if outcome.truncated else outcome


def _handed_out(outcomes: Sequence[EmbedOutcome], full: int, dimension: int, *, normalize: bool) -> Vector:
    """The vectors as rows, all brought to their form in one go."""
    missing = np.full(full, np.nan, dtype=np.float32)
    rows = [missing if outcome.vector is None else outcome.vector for outcome in outcomes]
    vectors = np.stack(rows)[:, :dimension]
    return unit_length(vectors) if normalize else np.ascontiguousarray(vectors)
