"""GET and POST /v1/models/{model_id}/versions, GET /v1/models/{model_id}/versions/{version}"""

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from embedding_project.config import load_config
from embedding_project.contracts.errors import InvalidRequest
from embedding_project.model_sources.model_folder import ModelFilesError
from embeddings_app.api.middleware import caller_of
from embeddings_app.api.parsing import json_object
from embeddings_app.api.requests.names import checked_model_id
from embeddings_app.api.requests.paging import version_in_path
from embeddings_app.api.requests.version_bodies import REGISTRATION, registration
from embeddings_app.api.routes.base import ApiView
from embeddings_app.api.schema import errors, parts, paths
from embeddings_app.api.schema.operation import Answer, operation
from embeddings_app.api.version_answers import EXAMPLE, VERSION, version_answer
from embeddings_app.models import ModelRegistry, Scope
from embeddings_app.services import audit
from embeddings_app.services.model_versions.adding import add_version, completed_in_time
from embeddings_app.services.model_versions.reading import find_version, list_versions
from embeddings_app.services.model_versions.registering import Incomplete

_VERSIONS = parts.record({"versions": parts.array(VERSION, "The newest first, retired ones too.")})


class Versions(ApiView):
    scopes = {"POST": (Scope.ADMIN,)}

    @operation(
        "list_versions",
        "List the versions of a model",
        tag="models",
        parameters=[paths.MODEL_ID],
        answers=[Answer(_VERSIONS, "Its versions.", {"one version": {"versions": [EXAMPLE]}})],
        errors=[*errors.GUARDED, "unknown_model"],
    )
    def get(self, request: Request, model_id: str) -> Response:
        versions = list_versions(checked_model_id(model_id, "model_id"))
        caller = caller_of(request)
        return Response({"versions": [version_answer(version, caller) for version in versions]})

    @operation(
        "register_version",
        "Register a version of a model",
        tag="models",
        description="The version is a draft, and the first one of a new model. Probe it next.",
        parameters=[paths.MODEL_ID],
        body=REGISTRATION,
        body_examples={"a folder": {"type": "transformers", "artifact": "my-model-folder"}},
        answers=[Answer(VERSION, "The new version.", {"a version": EXAMPLE}, status=201)],
        errors=[*errors.GUARDED, *errors.BODY, "invalid_text", "busy", "model_unavailable"],
    )
    def post(self, request: Request, model_id: str) -> Response:
        given = {"model_id": checked_model_id(model_id, "model_id"), **registration(json_object(request))}
        caller = caller_of(request)
        version = _registered(given, audit.caller_actor(caller.name))
        return Response(version_answer(version, caller), status=201)


class Version(ApiView):
    @operation(
        "get_version",
        "Read a version of a model",
        tag="models",
        parameters=[paths.MODEL_ID, paths.VERSION],
        answers=[Answer(VERSION, "The version.", {"a version": EXAMPLE})],
        errors=[*errors.GUARDED, "unknown_model"],
    )
    def get(self, request: Request, model_id: str, version: str) -> Response:
        return Response(version_answer(named_version(model_id, version), caller_of(request)))


def named_version(model_id: str, version: str) -> ModelRegistry:
    """The version that a path names. Raises ServiceError."""
    return find_version(checked_model_id(model_id, "model_id"), version_in_path(version))


def _registered(given: Mapping[str, Any], actor: str) -> ModelRegistry:
    """Raises InvalidRequest with the field that is missing or wrong."""
    try:
        return add_version(completed_in_time(given, load_config()), actor)
    except Incomplete as error:
        missing = ", ".join(error.missing)
        raise InvalidRequest("missing_field", f"give {missing}: {error.reason}", field=error.missing[0]) from error
    except ModelFilesError as error:
        raise InvalidRequest("invalid_value", str(error), field="artifact") from error
    except ValidationError as error:
        field, (message, *_) = next(iter(error.message_dict.items()))
        raise InvalidRequest("invalid_value", message, field=None if field == "__all__" else field) from error
