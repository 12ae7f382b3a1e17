"""What writes with an `Idempotency-Key` answered."""

from typing import ClassVar

from django.db import models


class KeptAnswer(models.Model):
    """The answer to one write, committed with it. It holds what the client got, and nothing else of the request."""

    caller = models.TextField(help_text="Prefix of the key, root, keyless, or who was signed in.")
    key = models.TextField()
    request_hash = models.BinaryField(help_text="SHA-256 of method, path and body.")
    status = models.SmallIntegerField(db_default=200)
    body = models.BinaryField(db_default=b"")
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "kept_answer"
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [models.UniqueConstraint(fields=["caller", "key"], name="kept_answer_once")]
        indexes: ClassVar = [models.Index(fields=["expires_at"], name="kept_answer_expiring")]

    def __str__(self) -> str:
        return f"{self.caller} {self.key}"
