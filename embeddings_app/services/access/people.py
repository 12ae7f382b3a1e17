"""What people may do through the API by their login: the rights of their role, as the scopes of a key."""

from django.contrib.auth.models import AbstractBaseUser, AnonymousUser, User

from embeddings_app.models import Scope
from embeddings_app.services.access.callers import Caller
from embeddings_app.services.access.roles import (
    DECIDE_ON_KEYS,
    DECIDE_ON_MODELS,
    OPERATE_VERSIONS,
    READ_DOCUMENTS,
    WRITE_DOCUMENTS,
)
from embeddings_app.services.audit import admin_actor

_NEEDS = {
    Scope.SEARCH: (READ_DOCUMENTS,),
    Scope.EMBED: (READ_DOCUMENTS,),
    Scope.WRITE: (WRITE_DOCUMENTS,),
    Scope.OPERATE: (OPERATE_VERSIONS, DECIDE_ON_MODELS),
    Scope.ADMIN: (DECIDE_ON_MODELS,),
}
"""Scope -> the permissions, each of which gives it."""


def person_caller(user: AbstractBaseUser | AnonymousUser) -> Caller | None:
    """None for somebody who may not enter the admin either."""
    if not isinstance(user, User) or not user.is_active or not user.is_staff:
        return None
    scopes = frozenset(scope.value for scope, permissions in _NEEDS.items() if any(map(user.has_perm, permissions)))
    name = admin_actor(user.get_username())
    return Caller(name=name, scopes=scopes, decides_on_keys=all(user.has_perm(one) for one in DECIDE_ON_KEYS))
