"""The most frequent query texts of each model."""

from typing import ClassVar

from django.db import models

from embedding_project.contracts.limits import MAX_MODEL_ID_LENGTH


class HotTexts(models.Model):
    """A summary of the query texts of one model. It holds texts of users, and nothing about who sent them."""

    model_id = models.CharField(max_length=MAX_MODEL_ID_LENGTH, primary_key=True)
    summary = models.JSONField(default=dict)
    halved_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "hot_texts"
        ordering: ClassVar = ["model_id"]

    def __str__(self) -> str:
        return self.model_id
