"""A model for tests that only need some model."""

from embedding_project.contracts.model_spec import ModelSpec, ModelType

SPEC = ModelSpec(
    version_key=1,
    model_id="m1",
    version=1,
    type=ModelType.TRANSFORMERS,
    artifact="",
    endpoint="",
    dimension=8,
    pooling="mean",
    normalize=True,
    query_prompt="",
    document_prompt="",
    max_tokens=256,
    dtype="fp32",
)
