"""One model version as every role needs to know it."""

from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any


class ModelType(StrEnum):
    TRANSFORMERS = "transformers"
    """A local folder of safetensors weights, run by the embedders."""
    OPENAI = "openai"
    """An endpoint that speaks the OpenAI embeddings API."""
    EXTERNAL = "external"
    """The client brings vectors."""


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

    def prompt(self, input_type: str) -> str:
        return self.query_prompt if input_type == "query" else self.document_prompt

    def to_wire(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_wire(cls, wire: dict[str, Any]) -> "ModelSpec":
        return cls(**{**wire, "type": ModelType(wire["type"])})
