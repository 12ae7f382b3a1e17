"""What LangChain's own tests of a vector store do not ask, with a running service (SERVICE_URL)."""

import os
from collections.abc import Iterator
from uuid import UUID

import pytest
from embsearch import AsyncClient, Client, Conflict, F, InvalidRequest
from embsearch.langchain import EmbSearchEmbeddings, EmbSearchVectorStore
from langchain_core.documents import Document

TEXTS = ["Foxes live in dens.", "Foxes live in their dens.", "Owls hunt at night.", "Wale singen im Meer."]
FIELDS = [{"lang": "en", "n": 1}, {"lang": "en", "n": 2}, {"lang": "en", "n": 3}, {"lang": "de", "n": 4}]
IDS = ["fox", "foxes", "owl", "whale"]
DEEP = {"a": {"b": {"c": {"d": {"e": {"f": 1}}}}}}


@pytest.fixture
def client() -> Iterator[Client]:
    with Client(os.environ["SERVICE_URL"]) as client:
        yield client


@pytest.fixture
def store(client: Client) -> Iterator[EmbSearchVectorStore]:
    embeddings = EmbSearchEmbeddings(client)
    yield EmbSearchVectorStore.from_texts(TEXTS, embeddings, FIELDS, ids=IDS, namespace="langchain-behaviour")
    client.namespace("langchain-behaviour").clear()


def ids(found: list[Document]) -> list[str | None]:
    return [document.id for document in found]


def test_searches_take_filters_and_what_else_the_service_takes(store: EmbSearchVectorStore) -> None:
    query = "where do foxes sleep?"
    assert ids(store.similarity_search(query, k=2, filter=F.n >= 3)) == ["owl", "whale"]
    assert ids(store.similarity_search(query, filter={"lang": "de"})) == ["whale"]
    assert ids(store.similarity_search(query, k=1, offset=1)) != ids(store.similarity_search(query, k=1))
    with pytest.raises(InvalidRequest, match="fitler"):
        store.similarity_search(query, fitler={"lang": "de"})


def test_scores_and_vectors(store: EmbSearchVectorStore, client: Client) -> None:
    (best, score), *_ = store.similarity_search_with_score(TEXTS[2], k=2)
    assert (best.id, best.page_content, best.metadata) == ("owl", TEXTS[2], FIELDS[2])
    assert score == pytest.approx(1.0, abs=1e-5)
    vector = EmbSearchEmbeddings(client).embed_query(TEXTS[2])
    assert ids(store.similarity_search_by_vector(vector, k=1)) == ["owl"]
    assert all(0 <= relevance <= 1 for _, relevance in store.similarity_search_with_relevance_scores("dens"))


def test_hits_may_have_to_differ(store: EmbSearchVectorStore, client: Client) -> None:
    query = "foxes in dens"
    assert set(ids(store.similarity_search(query, k=2))) == {"fox", "foxes"}
    assert len({"fox", "foxes"} & set(ids(store.max_marginal_relevance_search(query, k=2, lambda_mult=0.1)))) == 1
    vector = EmbSearchEmbeddings(client).embed_query(query)
    found = store.max_marginal_relevance_search_by_vector(vector, k=2, lambda_mult=0.1)
    assert len({"fox", "foxes"} & set(ids(found))) == 1


async def test_a_retriever_searches(store: EmbSearchVectorStore) -> None:
    retriever = store.as_retriever(search_kwargs={"k": 1, "filter": F.lang == "en"})
    assert ids(retriever.invoke("owls")) == ids(await retriever.ainvoke("owls")) == ["owl"]
    retriever = store.as_retriever(search_type="mmr", search_kwargs={"k": 2})
    assert len(await retriever.ainvoke("owls")) == 2
    retriever = store.as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.9, "k": 4}
    )
    assert ids(await retriever.ainvoke(TEXTS[2])) == ["owl"]


async def test_documents_are_deleted_by_a_filter_and_all_of_them(store: EmbSearchVectorStore, client: Client) -> None:
    store.delete(filter={"lang": "de"})
    await store.adelete(filter=F.n == 3)
    store.delete([])
    assert ids(store.get_by_ids(IDS)) == ["fox", "foxes"]
    with pytest.raises(TypeError, match="fitler"):
        store.delete(fitler=F.n == 1)
    with pytest.raises(ValueError, match="not both"):
        store.delete(["fox"], filter=F.n == 1)
    assert client.namespace("langchain-behaviour").count().value == 2
    store.delete()
    assert client.namespace("langchain-behaviour").count().value == 0


async def test_an_async_client_does_all_the_same(store: EmbSearchVectorStore, client: Client) -> None:
    async with AsyncClient(os.environ["SERVICE_URL"]) as async_client:
        embeddings = EmbSearchEmbeddings(client, async_client=async_client)
        vector = await embeddings.aembed_query(TEXTS[2])
        assert [vector] == [pytest.approx(row, abs=1e-5) for row in await embeddings.aembed_documents([TEXTS[2]])]
        tested = EmbSearchVectorStore("langchain-behaviour", embeddings)
        assert ids(await tested.asimilarity_search("dens", filter=F.n >= 3)) == ids(
            store.similarity_search("dens", filter=F.n >= 3)
        )
        assert ids(await tested.asimilarity_search_by_vector(vector, k=1)) == ["owl"]
        assert await tested.asimilarity_search_with_score("dens") == store.similarity_search_with_score("dens")
        found = await tested.amax_marginal_relevance_search("foxes in dens", k=2, lambda_mult=0.1)
        assert len({"fox", "foxes"} & set(ids(found))) == 1
        found = await tested.amax_marginal_relevance_search_by_vector(vector, k=3, lambda_mult=0.1)
        assert ids(found) == ids(store.max_marginal_relevance_search_by_vector(vector, k=3, lambda_mult=0.1))
        with pytest.raises(InvalidRequest, match="64"):
            await tested.aadd_texts(["bad"], [{f"f{n}": n for n in range(65)}])
        await tested.adelete(filter=F.lang == "de")
        assert ids(await tested.aget_by_ids(IDS)) == ["fox", "foxes", "owl"]
        await tested.adelete()
        assert await tested.aget_by_ids(IDS) == []


def test_documents_without_an_id_get_one(store: EmbSearchVectorStore) -> None:
    named, unnamed = store.add_texts(iter(["one", "two"]), ids=["one", None], batch_size=1)
    assert (named, UUID(unnamed).version) == ("one", 4)
    assert store.get_by_ids([unnamed, "none", named]) == [
        Document(id=unnamed, page_content="two"),
        Document(id=named, page_content="one"),
    ]
    with pytest.raises(ValueError, match="2 texts cannot have 1 metadatas and 2 ids"):
        store.add_texts(["one", "two"], [{"n": 1}])


@pytest.mark.parametrize(("fields", "message"), [(DEEP, "metadata.a.b.c.d.e"), ({f"f{n}": n for n in range(65)}, "64")])
def test_metadata_that_the_service_refuses_gives_its_error(
    store: EmbSearchVectorStore, fields: dict[str, object], message: str
) -> None:
    with pytest.raises(InvalidRequest, match=message) as refused:
        store.add_texts(["good", "bad"], [{}, fields], ids=["good", "bad"])
    assert "'bad'" in refused.value.__notes__[0]
    assert ids(store.get_by_ids(["good", "bad"])) == ["good"]


def test_a_namespace_keeps_its_model(store: EmbSearchVectorStore, client: Client) -> None:
    model_id = os.environ["EXTERNAL_MODEL"]
    with pytest.raises(Conflict, match="namespace_exists"):
        EmbSearchVectorStore("langchain-behaviour", client=client, model_id=model_id)
    with pytest.raises(ValueError, match="cannot have the model"):
        EmbSearchVectorStore("langchain-behaviour", EmbSearchEmbeddings(client), model_id=model_id)
    EmbSearchVectorStore("langchain-of-vectors", client=client, model_id=model_id)
    assert EmbSearchVectorStore("langchain-of-vectors", client=client).get_by_ids(["1"]) == []


def test_a_store_that_only_reads_makes_no_namespace(client: Client) -> None:
    EmbSearchVectorStore("langchain-never-made", client=client, create=False)
    assert "langchain-never-made" not in [one.name for one in client.namespaces.list()]
