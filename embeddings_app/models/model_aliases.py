"""Other names of models, for clients whose name of a model cannot be chosen."""

from typing import ClassVar

from django.core.validators import RegexValidator
from django.db import models

from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH


class ModelAlias(models.Model):
    """A name that means a model of the registry. A model that has the name itself comes first."""

    name = models.CharField(
        max_length=MAX_MODEL_ID_LENGTH,
        unique=True,
        validators=[RegexValidator(r"^[A-Za-z0-9][A-Za-z0-9._/-]*\Z")],
        help_text="What clients may send in place of the model's own name.",
    )
    model_id = models.CharField(max_length=MAX_MODEL_ID_LENGTH, help_text="A model of the registry.")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "model_alias"
        ordering: ClassVar = ["name"]
        verbose_name_plural = "model aliases"

    def __str__(self) -> str:
        return self.name
