"""A model version in an answer."""

from typing import Any

from embedding_project.contracts.model_spec import ModelType
from embedding_project.contracts.vector_storage import VectorStorage
from embeddings_app.api.schema import parts
from embeddings_app.models import ModelRegistry, ModelStatus, Scope
from embeddings_app.services.access.callers import Caller
from embeddings_app.services.model_versions.reading import version_problems
from embeddings_app.services.model_versions.steps import way_on

Json = dict[str, Any]
TIME = {"type": "string", "format": "date-time"}
TYPE = {"type": "string", "enum": [kind.value for kind in ModelType]}
STORAGE = parts.described(
    {"type": "string", "enum": [kind.value for kind in VectorStorage]}, "How index nodes hold its vectors in graphs."
)
PROBE = parts.record(
    {
        "passed": parts.BOOLEAN,
        "problem": parts.described(
            {"type": "string", "nullable": True}, "What the probe found; null for a key without the scope admin."
        ),
        "at": TIME,
    },
    nullable=True,
)
VERSION = parts.record(
    {
        "model_id": parts.STRING,
        "model_version": parts.described({"type": "integer", "minimum": 1}, "Number of the version."),
        "type": TYPE,
        "dimension": {"type": "integer", "minimum": 1},
        "max_tokens": {"type": "integer", "minimum": 1},
        "storage": STORAGE,
        "status": {"type": "string", "enum": [status.value for status in ModelStatus]},
        "next_step": parts.described(parts.STRING, "What can be done with the version in this status."),
        "probe": parts.described(PROBE, "The newest probe; null before the first."),
        "problems": parts.array(
            parts.STRING, "What keeps index nodes from loading it. Empty for a key without the scope admin."
        ),
        "created_at": TIME,
    }
)
EXAMPLE = {
    "model_id": "org/my-model",
    "model_version": 2,
    "type": "transformers",
    "dimension": 384,
    "max_tokens": 256,
    "storage": "fp32",
    "status": "probed",
    "next_step": way_on(ModelStatus.PROBED),
    "probe": {"passed": True, "problem": None, "at": "2026-01-31T12:00:05+00:00"},
    "problems": [],
    "created_at": "2026-01-31T12:00:00+00:00",
}


def version_answer(version: ModelRegistry, caller: Caller) -> Json:
    """What a probe found may name files and hosts of the service, so only admins read it."""
    operates = not caller.scopes.isdisjoint((Scope.OPERATE, Scope.ADMIN))
    return {
        "model_id": version.model_id,
        "model_version": version.version,
        "type": version.type,
        "dimension": version.dimension,
        "max_tokens": version.max_tokens,
        "storage": version.storage,
        "status": version.status,
        "next_step": way_on(version.status),
        "probe": _probe(version, shown=operates),
        "problems": version_problems(version) if operates else [],
        "created_at": version.created_at.isoformat(),
    }


def _probe(version: ModelRegistry, *, shown: bool) -> Json | None:
    if version.probed_at is None:
        return None
    return {
        "passed": not version.probe_error,
        "problem": version.probe_error if shown and version.probe_error else None,
        "at": version.probed_at.isoformat(),
    }
