"""Keys of the API."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models


class ApiKey(models.Model):
    """A key, of which only the prefix and the SHA-256 are kept."""

    name = models.CharField(max_length=128)
    prefix = models.CharField(max_length=16, unique=True)
    key_hash = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=16), default=list)
    namespaces = ArrayField(models.TextField(), default=list, blank=True, help_text="Empty means all.")
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "api_key"
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return f"{self.prefix} {self.name}"
