"""The whole OpenAPI document: what the routes say, the shared parts, and how the key is sent."""

from functools import cache
from typing import Any, cast

from drf_spectacular.generators import SchemaGenerator

from embeddings_app.api.access import OPEN_PATHS
from embeddings_app.api.rendering import to_json
from embeddings_app.api.schema.parts import COMPONENTS

_KEY: dict[str, Any] = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API key; needed unless the service is keyless.",
}

TAGS = {
    "search": "Find documents by meaning, by words, or by both.",
    "documents": "Write, read, count, change and delete documents; namespaces.",
    "embed": "Texts to vectors and tokens, pairs to scores.",
    "models": "Versions of models, and their re-embedding runs.",
    "imports": "Loads of many documents in the background.",
    "keys": "Who may ask.",
    "health": "What works, what goes on, figures.",
}
"""In the order in which pages show them: what most people look for comes first."""


class ServiceSchema(SchemaGenerator):
    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        document: dict[str, Any] = super().get_schema(request=request, public=public)  # type: ignore[no-untyped-call]
        components = document.setdefault("components", {})
        components.setdefault("schemas", {}).update(COMPONENTS)
        components["securitySchemes"] = {"bearer": _KEY}
        document["tags"] = [{"name": name, "description": about} for name, about in TAGS.items()]
        # drf-spectacular's generator has a regex beside each path, which DRF's, whose types these are, has not.
        routes = cast(list[tuple[str, str, str, Any]], self.endpoints)
        needed = {(path, method.lower()): view.cls.scopes.get(method, ()) for path, _, method, view in routes}
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                operation["x-scopes"] = [scope.value for scope in needed[path, method]]
                # Without a key the service is open on loopback, so no key is an alternative.
                operation["security"] = [{}] if path in OPEN_PATHS else [{"bearer": []}, {}]
                if "requestBody" in operation:
                    operation["requestBody"]["required"] = _is_needed(operation["requestBody"]["content"])
        return document


def _is_needed(content: dict[str, Any]) -> bool:
    """Whether a request must have a body: one whose fields may all be left out may be left out itself."""
    return any("required" in media["schema"] or "oneOf" in media["schema"] for media in content.values())


@cache
def openapi_document() -> bytes:
    """The document in JSON; it does not change while the process lives."""
    return to_json(ServiceSchema().get_schema(public=True))  # type: ignore[no-untyped-call]
