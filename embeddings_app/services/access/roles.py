"""The roles of the people who use the admin and the console: three groups, whose permissions belong to the service.

Each role may do what the one before may, and more. Superusers may do everything, as ever.
"""

from collections.abc import Mapping
from enum import StrEnum

from django.contrib.auth.models import Group, Permission


class Role(StrEnum):
    VIEWER = "viewer"
    """Sees all pages, texts of documents included, and changes nothing."""
    OPERATOR = "operator"
    """Also runs the service: model versions, their runs, retries, intervals of periodic jobs."""
    OWNER = "owner"
    """Also decides what there is: keys, users, model versions, namespaces, documents."""


OPERATE_VERSIONS = "embeddings_app.operate_modelregistry"
"""Probe, fill, switch, roll back and retire model versions; pause, resume and cancel their runs."""
RETRY_RECORDS = "embeddings_app.change_embeddingrecord"
READ_DOCUMENTS = "embeddings_app.view_document"
WRITE_DOCUMENTS = "embeddings_app.change_document"
DECIDE_ON_KEYS = ("embeddings_app.view_apikey", "embeddings_app.add_apikey", "embeddings_app.change_apikey")
"""List, make and revoke the keys of the API; whoever may needs all three."""
DECIDE_ON_MODELS = "embeddings_app.add_modelregistry"

_APPS = ("embeddings_app", "django_celery_beat", "auth")
"""The apps that have pages."""
_OPERATOR = frozenset({OPERATE_VERSIONS, RETRY_RECORDS, "django_celery_beat.change_periodictask"})
_OWNER = _OPERATOR | {
    WRITE_DOCUMENTS,
    *(f"embeddings_app.{act}_modelregistry" for act in ("add", "change", "delete")),
    *(f"embeddings_app.{act}_modelalias" for act in ("add", "change", "delete")),
    *(f"embeddings_app.{act}_{what}" for act in ("add", "change") for what in ("apikey", "namespace")),
    *(f"auth.{act}_user" for act in ("add", "change", "delete")),
}
GRANTS: Mapping[Role, frozenset[str]] = {Role.VIEWER: frozenset(), Role.OPERATOR: _OPERATOR, Role.OWNER: _OWNER}
"""What each role may do beside seeing, as `app.codename`."""


def install_roles() -> None:
    """Make the groups what they are meant to be. Needs the permissions that a migration leaves; idempotent."""
    permissions = Permission.objects.filter(content_type__app_label__in=_APPS).select_related("content_type")
    named = {f"{permission.content_type.app_label}.{permission.codename}": permission for permission in permissions}
    seen = {name for name in named if name.split(".")[1].startswith("view_")}
    for role, more in GRANTS.items():
        group, _ = Group.objects.get_or_create(name=role.value)
        group.permissions.set(permission for name, permission in named.items() if name in seen | more)
