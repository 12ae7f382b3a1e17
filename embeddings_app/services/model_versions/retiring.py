"""The end of a version: it gets no more writes at once, and what it holds is freed in the background."""

from embeddings_app import registry
from embeddings_app.models import EDITABLE_STATUSES, ModelRegistry, ModelStatus
from embeddings_app.records import model_locks
from embeddings_app.records.transactions import in_transaction
from embeddings_app.services.model_versions.steps import take_step


def retire(version: ModelRegistry, actor: str, reason: str = "") -> None:
    """Retire the version for good. Raises ServiceError while it answers, or while it is filled."""
    in_transaction(lambda: _retire(version, actor, reason))
    registry.forget_cached()


def _retire(version: ModelRegistry, actor: str, reason: str) -> None:
    model_locks.lock_exclusive(version.model_id)
    version.refresh_from_db()
    # A version without vectors has nothing that must be freed first.
    unused = version.status in EDITABLE_STATUSES
    take_step(version, ModelStatus.RETIRED if unused else ModelStatus.RETIRING, actor, reason)
