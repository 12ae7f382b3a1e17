"""LlamaIndex over a running service (SERVICE_URL): the store by itself, and an index from documents to answers."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from embsearch import AsyncClient, Client, Document, InvalidRequest
from embsearch.llamaindex import EmbSearchEmbedding, EmbSearchVectorStore
from llama_index.core import Document as Page
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.schema import NodeRelationship, RelatedNodeInfo, TextNode
from llama_index.core.vector_stores.types import (
    FilterCondition,
    FilterOperator,
    MetadataFilter,
    MetadataFilters,
    VectorStoreQuery,
    VectorStoreQueryMode,
)

URL = os.environ["SERVICE_URL"]
TEXTS: dict[str, tuple[str, dict[str, Any]]] = {
    "fox": ("Foxes live in dens.", {"lang": "en", "n": 1, "tags": ["mammal", "red"]}),
    "foxes": ("Foxes live in their dens.", {"lang": "en", "n": 2, "tags": ["mammal"]}),
    "owl": ("Owls hunt at night.", {"lang": "en", "n": 3, "doc_id": "of the user"}),
    "whale": ("Wale singen im Meer.", {"lang": "de", "draft": None}),
}


def made(name: str) -> TextNode:
    text, metadata = TEXTS[name]
    source = RelatedNodeInfo(node_id=f"page-{metadata['lang']}")
    return TextNode(id_=name, text=text, metadata=metadata, relationships={NodeRelationship.SOURCE: source})


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(URL) as client:
        yield client


@pytest.fixture
def store(client: Client) -> Iterator[EmbSearchVectorStore]:
    store = EmbSearchVectorStore("llamaindex", client=client)
    assert store.add([made(name) for name in TEXTS]) == list(TEXTS)
    yield store
    store.clear()


def where(key: str, operator: FilterOperator, value: Any) -> MetadataFilters:
    return MetadataFilters(filters=[MetadataFilter(key=key, operator=operator, value=value)])


def passing(store: EmbSearchVectorStore, filters: MetadataFilters) -> set[str]:
    """Of a query, which must be the same as of a listing."""
    found = store.query(VectorStoreQuery(query_str="animals", similarity_top_k=9, filters=filters))
    assert set(found.ids or []) == {node.node_id for node in store.get_nodes(filters=filters)}
    return set(found.ids or [])


@pytest.mark.parametrize(
    ("key", "operator", "value", "expected"),
    [
        ("lang", FilterOperator.EQ, "de", {"whale"}),
        ("lang", FilterOperator.NE, "en", {"whale"}),
        ("n", FilterOperator.GT, 2, {"owl"}),
        ("n", FilterOperator.GTE, 2, {"foxes", "owl"}),
        ("n", FilterOperator.LT, 2, {"fox"}),
        ("n", FilterOperator.LTE, 2, {"fox", "foxes"}),
        ("n", FilterOperator.IN, [1, 3], {"fox", "owl"}),
        ("n", FilterOperator.IN, [1, *range(4, 300)], {"fox"}),
        ("n", FilterOperator.NIN, [1, 3], {"foxes", "whale"}),
        ("tags", FilterOperator.CONTAINS, "red", {"fox"}),
        ("tags", FilterOperator.ANY, ["red", "mammal"], {"fox", "foxes"}),
        ("tags", FilterOperator.ALL, ["red", "mammal"], {"fox"}),
        ("n", FilterOperator.IS_EMPTY, None, {"whale"}),
        ("n", FilterOperator.EQ, None, {"whale"}),
    ],
)
def test_filters_mean_what_llamaindex_says(
    store: EmbSearchVectorStore, key: str, operator: FilterOperator, value: Any, expected: set[str]
) -> None:
    assert passing(store, where(key, operator, value)) == expected


def test_filters_are_combined(store: EmbSearchVectorStore) -> None:
    english, late = where("lang", FilterOperator.EQ, "en"), where("n", FilterOperator.GTE, 3)
    assert passing(store, MetadataFilters(filters=[english, late])) == {"owl"}
    assert passing(
        store, MetadataFilters(filters=[late, where("lang", FilterOperator.EQ, "de")], condition=FilterCondition.OR)
    ) == {"owl", "whale"}
    assert passing(store, MetadataFilters(filters=[english], condition=FilterCondition.NOT)) == {"whale"}
    with pytest.raises(ValueError, match="not parts of texts"):
        store.get_nodes(filters=where("lang", FilterOperator.TEXT_MATCH, "e"))


def test_a_node_comes_back_as_it_was(store: EmbSearchVectorStore, client: Client) -> None:
    (owl,) = store.get_nodes(["owl"])
    assert owl.metadata == TEXTS["owl"][1]
    assert (owl.get_content(), owl.ref_doc_id) == (TEXTS["owl"][0], "page-en")
    client.namespace("llamaindex").upsert(Document("other", "Bats sleep.", {"n": 9}), wait="searchable")
    (other,) = store.get_nodes(["other"])
    assert (other.get_content(), other.metadata, other.ref_doc_id) == ("Bats sleep.", {"n": 9}, None)


def test_queries_name_nodes_documents_and_modes(store: EmbSearchVectorStore) -> None:
    def found(**asked: Any) -> list[str]:
        return store.query(VectorStoreQuery(query_str="foxes in dens", **asked)).ids or []

    assert found(similarity_top_k=1) in (["fox"], ["foxes"])
    assert found(similarity_top_k=9, node_ids=["owl", "whale"]) == ["owl", "whale"]
    assert found(similarity_top_k=9, doc_ids=["page-de"]) == ["whale"]
    differing = found(similarity_top_k=2, mode=VectorStoreQueryMode.MMR, mmr_threshold=0.1)
    assert len({"fox", "foxes"} & set(differing)) == 1
    with pytest.raises(ValueError, match="no mode 'sparse'"):
        found(mode=VectorStoreQueryMode.SPARSE)
    strict = store.query(VectorStoreQuery(query_str=TEXTS["owl"][0], similarity_top_k=9), min_score=0.9)
    assert (strict.ids, len(strict.similarities or [])) == (["owl"], 1)
    with pytest.raises(InvalidRequest, match="no_such"):
        store.query(VectorStoreQuery(query_str="x"), no_such=1)


def test_nodes_are_deleted(store: EmbSearchVectorStore) -> None:
    with pytest.raises(ValueError, match="clear"):
        store.delete_nodes()
    store.delete_nodes(["fox", "owl"], where("n", FilterOperator.GTE, 3))
    store.delete_nodes(["none"])
    assert {one.node_id for one in store.get_nodes()} == {"fox", "foxes", "whale"}
    store.delete_nodes(["foxes"])
    store.delete("page-en")
    assert {one.node_id for one in store.get_nodes()} == {"whale"}
    store.delete_nodes(filters=where("lang", FilterOperator.EQ, "de"))
    assert store.get_nodes() == []


async def test_the_asynchronous_methods_do_the_same(store: EmbSearchVectorStore) -> None:
    query = VectorStoreQuery(query_str="owls", similarity_top_k=1)
    assert (await store.aquery(query)).ids == ["owl"]
    assert [one.node_id for one in await store.aget_nodes(["owl"])] == ["owl"]
    await store.adelete_nodes(["owl"])
    await store.adelete("page-de")
    assert await store.async_add([made("whale")]) == ["whale"]
    assert {one.node_id for one in await store.aget_nodes()} == {"fox", "foxes", "whale"}
    await store.aclear()
    assert await store.aget_nodes() == []


def test_an_index_over_texts(client: Client) -> None:
    store = EmbSearchVectorStore("llamaindex-index", client=client)
    index = VectorStoreIndex.from_vector_store(store, embed_model=EmbSearchEmbedding(client))
    for name, (text, metadata) in TEXTS.items():
        index.insert(Page(text=text, metadata=metadata, id_=f"page-{name}"))
    retriever = index.as_retriever(similarity_top_k=1, filters=where("lang", FilterOperator.EQ, "en"))
    (best,) = retriever.retrieve("what hunts at night?")
    assert (best.node.ref_doc_id, best.node.get_content()) == ("page-owl", TEXTS["owl"][0])
    index.delete_ref_doc("page-owl")
    assert {one.ref_doc_id for one in store.get_nodes()} == {"page-fox", "page-foxes", "page-whale"}
    store.clear()


async def test_an_index_whose_vectors_llamaindex_makes(client: Client) -> None:
    async with AsyncClient(URL) as async_client:
        model = EmbSearchEmbedding(client, async_client=async_client)
        assert await model.aget_query_embedding("owls") == pytest.approx(model.get_query_embedding("owls"), abs=1e-5)
        store = EmbSearchVectorStore(
            "llamaindex-vectors", client=client, model_id=os.environ["EXTERNAL_MODEL"], embeds_here=True
        )
        context = StorageContext.from_defaults(vector_store=store)
        index = VectorStoreIndex([made(name) for name in TEXTS], storage_context=context, embed_model=model)
        (best,) = await index.as_retriever(similarity_top_k=1).aretrieve("Owls hunt at night.")
        assert best.node_id == "owl"
        found = index.as_retriever(
            similarity_top_k=2, vector_store_query_mode="mmr", vector_store_kwargs={"mmr_threshold": 0.1}
        ).retrieve("foxes in dens")
        assert len({"fox", "foxes"} & {one.node_id for one in found}) == 1
        with pytest.raises(ValueError, match="no embedding"):
            store.add([made("owl")])
        store.clear()


def test_a_fault_of_a_node_says_which_it_is(store: EmbSearchVectorStore) -> None:
    bad = TextNode(id_="bad", text="bad", metadata={f"f{number}": number for number in range(65)})
    with pytest.raises(InvalidRequest, match="64") as refused:
        store.add([made("owl"), bad])
    assert "'bad'" in refused.value.__notes__[0]
    assert store.add([]) == []
