"""What Haystack's own tests of a document store do not ask, with a running service (SERVICE_URL)."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from embsearch import Conflict, InvalidRequest
from embsearch.haystack import (
    EmbSearchDocumentEmbedder,
    EmbSearchDocumentStore,
    EmbSearchEmbeddingRetriever,
    EmbSearchTextEmbedder,
    EmbSearchTextRetriever,
)
from haystack import Document, Pipeline
from haystack.components.writers import DocumentWriter
from haystack.document_stores.types import DuplicatePolicy
from haystack.errors import FilterError

URL = os.environ["SERVICE_URL"]
PAGES = [
    Document(id="fox", content="Foxes live in dens.", meta={"lang": "en", "year": 2024}),
    Document(id="owl", content="Owls hunt at night.", meta={"lang": "en", "year": 2019}),
    Document(id="whale", content="Wale singen im Meer.", meta={"lang": "de"}),
]
ENGLISH = {"field": "meta.lang", "operator": "==", "value": "en"}


@pytest.fixture
def store() -> Iterator[EmbSearchDocumentStore]:
    store = EmbSearchDocumentStore("haystack-behaviour", url=URL)
    store.write_documents(PAGES, DuplicatePolicy.OVERWRITE)
    yield store
    store.delete_all_documents()
    store.close()


def ids(found: list[Document]) -> list[str]:
    return [one.id for one in found]


async def test_a_text_is_searched_for(store: EmbSearchDocumentStore) -> None:
    retriever = EmbSearchTextRetriever(store, top_k=2, filters=ENGLISH)
    found = retriever.run("where do foxes sleep?")["documents"]
    assert ids(found) == ["fox", "owl"]
    assert (found[0].content, found[0].meta) == (PAGES[0].content, PAGES[0].meta)
    assert found[0].score is not None
    assert found[0].score > 0.5
    assert ids((await retriever.run_async("Wale singen", filters={}, top_k=1))["documents"]) == ["whale"]
    with pytest.raises(InvalidRequest, match="no_such"):
        EmbSearchTextRetriever(store, search={"no_such": 1}).run("foxes")


def test_a_pipeline_embeds_writes_and_searches() -> None:
    store = EmbSearchDocumentStore(
        "haystack-vectors", url=URL, model_id=os.environ["EXTERNAL_MODEL"], embeds_here=True, return_embedding=True
    )
    load = Pipeline()
    load.add_component("embedder", EmbSearchDocumentEmbedder(url=URL))
    load.add_component("writer", DocumentWriter(store, policy=DuplicatePolicy.OVERWRITE))
    load.connect("embedder.documents", "writer.documents")
    assert load.run({"embedder": {"documents": PAGES}})["writer"]["documents_written"] == 3
    search = Pipeline()
    search.add_component("embedder", EmbSearchTextEmbedder(url=URL))
    search.add_component("retriever", EmbSearchEmbeddingRetriever(store, top_k=1))
    search.connect("embedder.embedding", "retriever.query_embedding")
    (best,) = search.run({"embedder": {"text": "where do foxes sleep?"}})["retriever"]["documents"]
    assert best.id == "fox"
    assert len(best.embedding) == 384
    with pytest.raises(ValueError, match="no embedding"):
        store.write_documents(PAGES, DuplicatePolicy.OVERWRITE)
    store.delete_all_documents()


def test_a_pipeline_is_written_down_without_its_key(store: EmbSearchDocumentStore) -> None:
    pipeline = Pipeline()
    pipeline.add_component("retriever", EmbSearchTextRetriever(store, search={"min_score": 0.1}))
    pipeline.add_component("embedder", EmbSearchTextEmbedder(url=URL))
    written = pipeline.dumps()
    assert "EMBSEARCH_API_KEY" in written
    again = Pipeline.loads(written, allowed_modules=["embsearch.haystack.embedders", "embsearch.haystack.retrievers"])
    found = again.run({"retriever": {"query": "owls", "top_k": 1}, "embedder": {"text": "owls"}})
    assert ids(found["retriever"]["documents"]) == ["owl"]


async def test_the_asynchronous_methods_do_the_same(store: EmbSearchDocumentStore) -> None:
    assert await store.count_documents_async() == 3
    assert ids(await store.filter_documents_async(ENGLISH)) == ["fox", "owl"]
    assert await store.write_documents_async(PAGES, DuplicatePolicy.SKIP) == 0
    assert await store.count_documents_by_filter_async(ENGLISH) == 2
    assert await store.count_unique_metadata_by_filter_async(None, ["meta.lang"]) == {"lang": 2}
    assert await store.update_by_filter_async(ENGLISH, {"seen": True}) == 2
    assert await store.delete_by_filter_async({"field": "seen", "operator": "==", "value": True}) == 2
    await store.delete_documents_async(["whale", "none"])
    await store.delete_all_documents_async()
    assert await store.count_documents_async() == 0


def test_some_of_the_documents_are_there_already(store: EmbSearchDocumentStore) -> None:
    more = [*PAGES, Document(id="bat", content="Bats sleep upside down."), Document(id="bat", content="again")]
    assert store.write_documents(more, DuplicatePolicy.SKIP) == 1
    assert [one.content for one in store.filter_documents() if one.id == "bat"] == ["Bats sleep upside down."]
    assert store.write_documents(more, DuplicatePolicy.OVERWRITE) == 4
    assert [one.content for one in store.filter_documents() if one.id == "bat"] == ["again"]


@pytest.mark.parametrize(
    ("filters", "message"),
    [
        ({"field": "content", "operator": "==", "value": "x"}, "by metadata"),
        ({"field": "meta.n", "operator": "~", "value": 1}, "no operator"),
        ({"operator": "XOR", "conditions": [ENGLISH]}, "XOR"),
        ({"operator": "AND", "conditions": []}, "list of filters"),
        ({"field": "meta.n", "operator": "==", "value": {"a": 1}}, "compares"),
        ({"operator": "OR", "conditions": [ENGLISH] * 70}, "64"),
    ],
)
def test_a_filter_that_cannot_be_meant_is_named(
    store: EmbSearchDocumentStore, filters: dict[str, object], message: str
) -> None:
    with pytest.raises(FilterError, match=message):
        store.filter_documents(filters)


def test_an_absent_field_is_a_value_of_in(store: EmbSearchDocumentStore) -> None:
    def passing(operator: str, value: list[object]) -> list[str]:
        return ids(store.filter_documents({"field": "meta.year", "operator": operator, "value": value}))

    assert passing("in", [2024, None]) == ["fox", "whale"]
    assert passing("not in", [2024, None]) == ["owl"]
    assert passing("in", []) == []
    assert passing("not in", []) == ["fox", "owl", "whale"]


def test_nothing_is_deleted_by_an_empty_filter(store: EmbSearchDocumentStore) -> None:
    with pytest.raises(FilterError, match="a filter is needed"):
        store.delete_by_filter({})
    with pytest.raises(ValueError, match="no content"):
        store.write_documents([Document(id="empty")], DuplicatePolicy.OVERWRITE)
    assert store.count_documents() == 3


@contextmanager
def busy_service() -> Iterator[tuple[str, list[str]]]:
    """One in which another client deletes each document before every look, and writes it again before every write: its
    address, and the paths of all requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_PUT(self) -> None:
            self._answer(200, {"name": "busy"})

        def do_POST(self) -> None:
            asked.append(self.path)
            if self.path == "/v1/documents/get":
                self._answer(200, {"documents": [], "missing": ["fox"]})
            else:
                error = {"code": "revision_conflict", "message": "it is at revision 3", "field": "documents[0]"}
                self._answer(409, {"error": error})

        def _answer(self, status: int, body: object) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            content = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        server.server_close()


def test_a_write_that_others_undo_again_and_again_ends() -> None:
    with busy_service() as (url, asked):
        store = EmbSearchDocumentStore("busy", url=url)
        with pytest.raises(Conflict, match="revision 3"):
            store.write_documents(PAGES[:1], DuplicatePolicy.SKIP)
        assert asked.count("/v1/upsert") == 5
        store.close()
