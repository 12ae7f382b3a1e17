"""GET and POST /v1/keys, DELETE /v1/keys/{prefix}: the keys of the API, for those who decide on them"""

from typing import Any

from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.contracts.errors import InvalidRequest
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.fields import Fields, check_length, checked_string
from embeddings_app.api.requests.paging import PAGE_PARAMETERS, page_of
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts, paths
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.api.version_answers import TIME
from embeddings_app.models import ApiKey, Scope
from embeddings_app.services.access.api_keys import (
    FIRST_KEY,
    MAX_KEY_NAME_LENGTH,
    KeyGrant,
    create_key,
    ends_keyless_use,
    key_named,
    key_state,
    newest_keys,
    revoke_key,
)
from embeddings_app.services.audit import caller_actor

_MAX_NAMESPACES = 256
_NAME = {"type": "string", "minLength": 1, "maxLength": MAX_KEY_NAME_LENGTH}
_SCOPES = parts.array({"type": "string", "enum": list(Scope)}, "What it may do.", minItems=1, maxItems=len(Scope))
_NAMESPACES = parts.array(
    {"type": "string", "pattern": parts.NAMESPACE["pattern"]}, "Empty: all.", maxItems=_MAX_NAMESPACES
)
_RATE = {"type": "number", "minimum": 0.001, "maximum": 1_000_000}
_NEW = parts.request_body(
    {
        "name": parts.described(_NAME, "Who uses it, and for what."),
        "scopes": _SCOPES,
        "namespaces": _NAMESPACES,
        "expires_at": parts.described({**TIME, "maxLength": 64}, "RFC 3339 with an offset. Left out: never."),
        "requests_per_second": parts.described(_RATE, "Left out: no limit."),
        "inputs_per_second": parts.described(_RATE, "Texts, documents and queries. Left out: no limit."),
        "ends_keyless_use": parts.described(
            parts.BOOLEAN, "Must be true for the first key, after which every request needs a key, for good."
        ),
    },
    optional=("namespaces", "expires_at", "requests_per_second", "inputs_per_second", "ends_keyless_use"),
)
_MAYBE_TIME, _MAYBE_RATE = {**TIME, "nullable": True}, {"type": "number", "nullable": True}
_KEY = parts.record(
    {
        "prefix": parts.described(parts.STRING, "What the key begins with, after `emb_`; it names the key."),
        "name": parts.STRING,
        "state": {"type": "string", "enum": ["active", "expired", "revoked"]},
        "scopes": parts.array(parts.STRING),
        "namespaces": parts.array(parts.STRING, "Empty: all."),
        "requests_per_second": _MAYBE_RATE,
        "inputs_per_second": _MAYBE_RATE,
        "created_by": parts.STRING,
        "created_at": TIME,
        "expires_at": _MAYBE_TIME,
        "revoked_at": _MAYBE_TIME,
        "last_used_at": parts.described(_MAYBE_TIME, "Half a minute late at most."),
    }
)
_LIST = parts.record(
    {
        "keys": parts.array(_KEY, "The newest first, revoked ones too."),
        "next": paths.NEXT,
        "next_key_ends_keyless_use": parts.BOOLEAN,
    }
)
_MADE = parts.record({"key": _KEY, "secret": parts.described(parts.STRING, "The key. Nobody can show it again.")})
_EXAMPLE: dict[str, Any] = {
    "prefix": "5f0a9c31d2",
    "name": "shop, search box",
    "state": "active",
    "scopes": ["search"],
    "namespaces": ["products"],
    "requests_per_second": 50.0,
    "inputs_per_second": None,
    "created_by": "admin:ann",
    "created_at": "2026-01-31T12:00:00+00:00",
    "expires_at": None,
    "revoked_at": None,
    "last_used_at": None,
}
_REVOKED = {**_EXAMPLE, "state": "revoked", "revoked_at": "2026-02-01T12:00:00+00:00"}
_PREFIX = OpenApiParameter("prefix", parts.STRING, OpenApiParameter.PATH)
_WHO = (
    "For an owner who is signed in, for the root key, and on a keyless service. Other keys may not, whatever their "
    "scopes."
)


class _KeysView(ApiView):
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        caller_of(request).require_key_rights()


class Keys(_KeysView):
    scopes = {"GET": (Scope.ADMIN,), "POST": (Scope.ADMIN,)}
    parameters = {"GET": PAGE_PARAMETERS}

    @operation(
        "list_keys",
        "List the keys",
        tag="keys",
        description=_WHO,
        parameters=paths.PAGE,
        answers=[
            Answer(
                _LIST,
                "A page of them, without the keys themselves.",
                {"one key": {"keys": [_EXAMPLE], "next": None, "next_key_ends_keyless_use": False}},
            )
        ],
        errors=errors.GUARDED,
    )
    def get(self, request: Request) -> Response:
        page = page_of(request.query_params)
        found = newest_keys(page.limit + 1, before=page.after)
        shown = found[: page.limit]
        return Response(
            {
                "keys": [_answer(key) for key in shown],
                "next": shown[-1].pk if len(found) > page.limit else None,
                "next_key_ends_keyless_use": ends_keyless_use(),
            }
        )

    @operation(
        "create_key",
        "Make a key",
        tag="keys",
        description=f"{_WHO} The answer is the only place that ever shows the key.",
        body=_NEW,
        body_examples={
            "for a search box": {"name": "shop, search box", "scopes": ["search"], "namespaces": ["products"]}
        },
        answers=[Answer(_MADE, "The key.", {"made": {"key": _EXAMPLE, "secret": "emb_5f0a9c31d2_VxU3…"}}, status=201)],
        errors=[*errors.GUARDED, *errors.BODY, "invalid_text"],
    )
    def post(self, request: Request) -> Response:
        fields = Fields(json_object(request), _NEW)
        grant = _grant(fields)
        if ends_keyless_use() and not fields.optional_flag("ends_keyless_use"):
            raise InvalidRequest("missing_field", f"{FIRST_KEY} Say that it may.", field="ends_keyless_use")
        key, secret = create_key(grant, caller_actor(caller_of(request).name))
        return Response({"key": _answer(key), "secret": secret}, status=201)


class Key(_KeysView):
    scopes = {"DELETE": (Scope.ADMIN,)}

    @operation(
        "revoke_key",
        "Revoke a key",
        tag="keys",
        description=f"{_WHO} Within 5 seconds no process takes the key. It stays in the list. Again is no error.",
        parameters=[_PREFIX],
        answers=[Answer(_KEY, "The key.", {"revoked": _REVOKED})],
        errors=[*errors.GUARDED, "unknown_key"],
    )
    def delete(self, request: Request, prefix: str) -> Response:
        key_named(prefix)
        revoke_key(prefix, caller_actor(caller_of(request).name))
        return Response(_answer(key_named(prefix)))


def _grant(fields: Fields) -> KeyGrant:
    """Raises InvalidRequest."""
    fields.required("name")
    return KeyGrant(
        name=(fields.optional_string("name") or "").strip(),
        scopes=frozenset(checked_string(one, f"scopes[{at}]") for at, one in enumerate(fields.items("scopes"))),
        namespaces=_namespaces(fields),
        expires_at=fields.optional_moment("expires_at"),
        requests_per_second=fields.optional_number("requests_per_second"),
        inputs_per_second=fields.optional_number("inputs_per_second"),
    )


def _namespaces(fields: Fields) -> tuple[str, ...]:
    names = fields.optional_items("namespaces") or []
    check_length(names, _MAX_NAMESPACES, "namespaces")
    return tuple(dict.fromkeys(checked_string(one, f"namespaces[{at}]") for at, one in enumerate(names)))


def _answer(key: ApiKey) -> dict[str, Any]:
    moments = ("created_at", "expires_at", "revoked_at", "last_used_at")
    plain = ("prefix", "name", "scopes", "namespaces", "requests_per_second", "inputs_per_second", "created_by")
    return {
        **{name: getattr(key, name) for name in plain},
        "state": key_state(key),
        **{name: moment.isoformat() if (moment := getattr(key, name)) else None for name in moments},
    }
