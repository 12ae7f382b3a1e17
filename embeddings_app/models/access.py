"""Keys of the API, and the record of who changed what."""

from typing import ClassVar

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now


class Scope(models.TextChoices):
    """What a key may do."""

    EMBED = "embed"
    SEARCH = "search"
    WRITE = "write"
    OPERATE = "operate"
    ADMIN = "admin"
    """Also all that OPERATE may; a route that is for both names both."""


class ApiKey(models.Model):
    """A key, of which only the prefix and the SHA-256 are kept. It is revoked, never deleted."""

    name = models.CharField(max_length=128)
    prefix = models.CharField(max_length=16, unique=True)
    key_hash = models.BinaryField()
    scopes = ArrayField(models.CharField(max_length=16, choices=Scope.choices), default=list)
    namespaces = ArrayField(models.TextField(), default=list, blank=True, help_text="Empty means all.")
    requests_per_second = models.FloatField(null=True, blank=True, help_text="Empty means no limit.")
    inputs_per_second = models.FloatField(
        null=True, blank=True, help_text="Texts, documents and queries. Empty means no limit."
    )
    created_by = models.CharField(max_length=150, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    last_used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "api_key"
        verbose_name = "API key"
        ordering: ClassVar = ["name"]
        constraints: ClassVar = [
            models.CheckConstraint(
                condition=models.Q(requests_per_second__isnull=True) | models.Q(requests_per_second__gt=0),
                name="api_key_request_rate_positive",
            ),
            models.CheckConstraint(
                condition=models.Q(inputs_per_second__isnull=True) | models.Q(inputs_per_second__gt=0),
                name="api_key_input_rate_positive",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.prefix} {self.name}"


class AuditEvent(models.Model):
    """One thing somebody did to keys, models or the whole service. Only ever added to."""

    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(max_length=150, help_text="admin:<user>, key:<prefix>, or command:<system user>")
    action = models.CharField(max_length=64, help_text="Such as key.created, model.activated, backup.restored.")
    subject = models.CharField(max_length=255, blank=True)
    detail = models.JSONField(default=dict, blank=True)

    class Meta:
        db_table = "audit_event"
        verbose_name_plural = "audit log"
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.action} {self.subject}"
