"""Keys of the API: made, shown once, revoked."""

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils import timezone

from embedding_project.config import load_config
from embedding_project.contracts.errors import InvalidRequest, ServiceError
from embedding_project.contracts.names import NAMESPACE_PATTERN
from embedding_project.contracts.text import storable
from embeddings_app.models import ApiKey, Scope
from embeddings_app.records.api_keys import any_key
from embeddings_app.services import audit

FIRST_KEY = "This is the first key. From now on every request needs a key, for good: also when this one is revoked."
"""Said before and after a key ends keyless use."""
MAX_KEY_NAME_LENGTH = 128
_SLOWEST, _FASTEST = 0.001, 1_000_000
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


def key_state(key: ApiKey) -> str:
    """Revoked, expired or active."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= timezone.now() else "active"


def ends_keyless_use() -> bool:
    """Whether the next key is the one after which requests without a key are refused for good."""
    return not load_config().api_key and not any_key()


def create_key(grant: KeyGrant, actor: str) -> tuple[ApiKey, str]:
    """A new key and its text, which nobody can show a second time. Raises InvalidRequest."""
    _check(grant)
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


def _check(grant: KeyGrant) -> None:
    if not 1 <= len(grant.name.strip()) <= MAX_KEY_NAME_LENGTH:
        raise InvalidRequest("invalid_value", f"needs 1 to {MAX_KEY_NAME_LENGTH} characters", field="name")
    if not grant.scopes or not set(grant.scopes) <= set(Scope):
        raise InvalidRequest("invalid_value", f"needs one or more of {', '.join(Scope)}", field="scopes")
    for namespace in grant.namespaces:
        if not re.fullmatch(NAMESPACE_PATTERN, namespace, re.ASCII):
            raise InvalidRequest(
                "invalid_value", f"{namespace[:80]!r} is not the name of a namespace", field="namespaces"
            )
    if grant.expires_at is not None and grant.expires_at <= timezone.now():
        raise InvalidRequest("invalid_value", "must lie in the future", field="expires_at")
    for field in ("requests_per_second", "inputs_per_second"):
        rate = getattr(grant, field)
        if rate is not None and not _SLOWEST <= rate <= _FASTEST:
            raise InvalidRequest("invalid_value", f"must be between {_SLOWEST} and {_FASTEST}", field=field)


def newest_keys(limit: int, *, before: int | None = None) -> list[ApiKey]:
    """The newest first, from the one made before the key `before`."""
    found = ApiKey.objects.order_by("-pk")
    return list((found if before is None else found.filter(pk__lt=before))[:limit])


def key_named(prefix: str) -> ApiKey:
    """Raises unknown_key."""
    key = ApiKey.objects.filter(prefix=prefix).first() if storable(prefix) else None
    if key is None:
        raise ServiceError("unknown_key", field="prefix")
    return key


def revoke_key(prefix: str, actor: str) -> bool:
    """Make a key useless for good; False when it is unknown or was revoked before."""
    with transaction.atomic():
        revoked = ApiKey.objects.filter(prefix=prefix, revoked_at=None).update(revoked_at=timezone.now())
        if revoked:
            audit.record(actor, "key.revoked", prefix)
    return bool(revoked)
