"""Short names for what the tests of quality do."""

from embeddings_app.models import ModelRegistry, Namespace
from embeddings_app.records.search_samples import LiveSearch
from tests.integration.indexing_steps import NAMESPACE, put

MODEL = "all-MiniLM-L6-v2"


def active_version() -> ModelRegistry:
    return ModelRegistry.objects.get(model_id=MODEL, status="active")


def namespace_key() -> int:
    """Of a namespace with a document."""
    put(("a document", "with a text"))
    return Namespace.objects.get(name=NAMESPACE).pk


def live_search(
    text: str = "a query", *, namespace: int, vector: bytes | None = None, model: str = MODEL
) -> LiveSearch:
    return LiveSearch(
        model_id=model,
        namespace_key=namespace,
        text="" if vector else text,
        vector=vector,
        version_key=active_version().pk if vector else None,
        top_k=10,
        filter="",
        ef_search=100,
    )
