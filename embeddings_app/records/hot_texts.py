"""The stored summaries of the most frequent query texts, one row for each model."""

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

from django.db.models.functions import Now

from embeddings_app.models import HotTexts, ModelRegistry

Stored = Mapping[str, Any]


def read(model_id: str) -> Stored:
    """The summary of a model; empty when there is none."""
    found = HotTexts.objects.filter(model_id=model_id).first()
    return found.summary if found else {}


def change(model_id: str, changed: Callable[[Stored], Stored]) -> None:
    """Replace the summary by what `changed` makes of it. In the caller's transaction."""
    HotTexts.objects.bulk_create([HotTexts(model_id=model_id)], ignore_conflicts=True)
    row = HotTexts.objects.select_for_update().get(model_id=model_id)
    row.summary = changed(row.summary)
    row.save(update_fields=["summary"])


def due_to_halve(hours: int) -> list[str]:
    """Models whose summary was last halved longer ago."""
    found = HotTexts.objects.filter(halved_at__lt=Now() - timedelta(hours=hours))
    return list(found.values_list("model_id", flat=True))


def note_halved(model_id: str, hours: int) -> bool:
    """Note that the summary is halved now; False when somebody did it meanwhile. In the caller's transaction."""
    due = HotTexts.objects.filter(model_id=model_id, halved_at__lt=Now() - timedelta(hours=hours))
    return bool(due.update(halved_at=Now()))


def forget_unknown_models() -> int:
    """Delete the summaries of models that are not registered; how many."""
    deleted, _ = HotTexts.objects.exclude(model_id__in=ModelRegistry.objects.values("model_id")).delete()
    return deleted


def forget_all() -> int:
    """Delete every summary; how many."""
    deleted, _ = HotTexts.objects.all().delete()
    return deleted
