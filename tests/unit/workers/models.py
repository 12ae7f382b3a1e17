"""Models for the tests of the embedding side. No import of torch, which takes seconds, hides here."""

from dataclasses import replace

from embedding_project.contracts.model_spec import PACKAGED_MODEL
from tests.specs import SPEC

DIMENSION = 8
HASHING = replace(SPEC, model_id="hashes", artifact="hashing:", dimension=DIMENSION, max_tokens=16)
MINILM = replace(PACKAGED_MODEL, version_key=1, model_id="minilm", version=1)
