"""Keys of the API: made, shown once, revoked."""

import hashlib
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from embeddings_app.models import ApiKey
from embeddings_app.services import audit

_PREFIX_BYTES = 5
_SECRET_BYTES = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyGrant:
    """What a new key is to be allowed."""

    name: str
    scopes: Collection[str]
    namespaces: Collection[str] = ()
    """Empty for all."""
    expires_at: datetime | None = None
    requests_per_second: float | None = None
    inputs_per_second: float | None = None


def key_hash(key: str) -> bytes:
    """What is stored of a key. It is random enough that a plain hash cannot be turned back."""
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).digest()


def create_key(grant: KeyGrant, actor: str) -> tuple[ApiKey, str]:
    """A new key and its text, which nobody can show a second time."""
    prefix = secrets.token_hex(_PREFIX_BYTES)
    text = f"emb_{prefix}_{secrets.token_urlsafe(_SECRET_BYTES)}"
    with transaction.atomic():
        key = ApiKey.objects.create(
            name=grant.name,
            prefix=prefix,
            key_hash=key_hash(text),
            scopes=sorted(grant.scopes),
            namespaces=sorted(grant.namespaces),
            expires_at=grant.expires_at,
            requests_per_second=grant.requests_per_second,
            inputs_per_second=grant.inputs_per_second,
            created_by=actor,
        )
        detail = {"name": grant.name, "scopes": key.scopes, "namespaces": key.namespaces}
        audit.record(actor, "key.created", prefix, detail)
    return key, text


def revoke_key(prefix: str, actor: str) -> bool:
    """Make a key useless for good; False when it is unknown or was revoked before."""
    with transaction.atomic():
        revoked = ApiKey.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=timezone.now())
        if revoked:
            audit.record(actor, "key.revoked", prefix)
    return bool(revoked)
