"""A model for tests that only need some model."""

from dataclasses import replace

from embedding_project.contracts.model_spec import PACKAGED_MODEL

SPEC = replace(PACKAGED_MODEL, version_key=1, model_id="m1", version=1, artifact="", dimension=8)
