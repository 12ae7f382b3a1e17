"""Further versions of a model, beside the active one, brought by hand to the status that a test needs."""

from collections.abc import Mapping

from tests.conftest import Service

_ADD = """
from django.db import transaction
from embeddings_app.models import ModelRegistry
from embeddings_app.services.model_versions.indexes import prepare_indexes
for version, (dimension, status) in {wanted!r}.items():
    with transaction.atomic():
        made = ModelRegistry.objects.create(
            model_id={model_id!r}, version=version, type="transformers", artifact="hashing:", dimension=dimension,
            status=status,
        )
        prepare_indexes(made)
"""


def register_hashing(service: Service, model_id: str, dimension: int) -> None:
    """A model, active, whose vectors come from the words of a text: no weights, any dimension."""
    service.manage(
        "register_model", "--model-id", model_id, "--type", "transformers", "--artifact", "hashing:",
        "--dimension", str(dimension), "--activate",
    )  # fmt: skip


def add_versions(service: Service, model_id: str, wanted: Mapping[int, tuple[int, str]]) -> None:
    """Version -> dimension and status, of the same kind. What is written from now on reaches those that are live."""
    service.manage("shell", "-c", _ADD.format(model_id=model_id, wanted=dict(wanted)))
