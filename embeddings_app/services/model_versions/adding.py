"""A version is added to the registry, as a draft with the number after the newest one of its model."""

from collections.abc import Mapping
from functools import cache
from typing import Any

from embedding_project.config import Config
from embedding_project.contracts.errors import Unavailable
from embedding_project.contracts.limits import EMBED_DEADLINE_SECONDS
from embedding_project.threads.bounded_calls import BoundedCalls
from embeddings_app.models import ModelRegistry
from embeddings_app.records import model_locks
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services import audit
from embeddings_app.services.model_versions.registering import completed

_READERS = 2
"""Descriptions that a process reads at a time: a hub can hold each of them up for long."""


def add_version(fields: Mapping[str, Any], actor: str) -> ModelRegistry:
    """Keep a version of these fields, which `completed` has made. Raises ValidationError when they do not fit."""
    return in_transaction(lambda: _add(fields, actor))


def completed_in_time(
    given: Mapping[str, Any], config: Config, seconds: float = EMBED_DEADLINE_SECONDS
) -> dict[str, Any]:
    """As `completed`, for a request. Raises Unavailable as well, when the files cannot be read in time."""
    try:
        return _readers().call(lambda: completed(given, config), seconds)
    except TimeoutError:
        raise Unavailable(
            "model_unavailable", f"what the files of the model say could not be read within {seconds:.0f} seconds"
        ) from None


def _add(fields: Mapping[str, Any], actor: str) -> ModelRegistry:
    # Two that register at once would take the same number.
    model_locks.lock_exclusive(fields["model_id"])
    newest = ModelRegistry.objects.filter(model_id=fields["model_id"]).order_by("-version").first()
    version = ModelRegistry(version=newest.version + 1 if newest else 1, **fields)
    version.full_clean()
    version.save()
    audit.record(actor, "model.registered", str(version))
    return version


@cache
def _readers() -> BoundedCalls:
    return BoundedCalls("model-files", _READERS)
