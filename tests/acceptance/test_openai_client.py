"""The openai package and LangChain, unmodified, against this service."""

import asyncio
import base64
from collections.abc import Iterator
from typing import cast

import httpx
import numpy as np
import openai
import pytest
from pydantic import SecretStr

from tests.acceptance.conftest import ok, until_cached
from tests.conftest import FLEXIBLE_MIN_DIMENSION, Service

MODEL = "all-MiniLM-L6-v2"
TEXTS = ["a red fox", "ein roter Fuchs", "[SEP] is five characters"]


@pytest.fixture(scope="module")
def client(service: Service) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{service.url}/v1", api_key="not-needed", max_retries=0) as made:
        yield made


def vectors(answer: openai.types.CreateEmbeddingResponse) -> np.ndarray:
    return np.array([item.embedding for item in answer.data], dtype=np.float32)


def own(api: httpx.Client, texts: list[str], **options: object) -> np.ndarray:
    return np.array(until_cached(api, texts, **options), dtype=np.float32)


def test_the_default_encoding_gives_the_vectors_of_embed(client: openai.OpenAI, api: httpx.Client) -> None:
    expected = own(api, TEXTS)
    answer = client.embeddings.create(model=MODEL, input=TEXTS, user="somebody")
    assert [item.index for item in answer.data] == [0, 1, 2]
    assert (answer.object, answer.data[0].object, answer.model) == ("list", "embedding", MODEL)
    assert (vectors(answer) == expected).all()
    assert answer.usage.prompt_tokens == answer.usage.total_tokens > len(TEXTS)


def test_floats_are_the_same_numbers(client: openai.OpenAI, api: httpx.Client) -> None:
    until_cached(api, ["one text"])
    coded = client.embeddings.create(model=f"{MODEL}@1", input="one text", encoding_format="base64")
    plain = client.embeddings.create(model=f"{MODEL}@1", input="one text", encoding_format="float")
    text = cast(str, coded.data[0].embedding)  # the client has a type for the floats alone
    assert (vectors(plain)[0] == np.frombuffer(base64.b64decode(text), "<f4")).all()


def test_the_asynchronous_client_is_answered_alike(service: Service, client: openai.OpenAI, api: httpx.Client) -> None:
    until_cached(api, TEXTS)

    async def ask() -> openai.types.CreateEmbeddingResponse:
        async with openai.AsyncOpenAI(base_url=f"{service.url}/v1", api_key="x", max_retries=0) as made:
            return await made.embeddings.create(model=MODEL, input=TEXTS)

    assert (vectors(asyncio.run(ask())) == vectors(client.embeddings.create(model=MODEL, input=TEXTS))).all()


def test_2048_inputs_come_back_in_order(client: openai.OpenAI, api: httpx.Client) -> None:
    words = ["alpha", "beta", "gamma"]
    alone = own(api, words)
    answer = client.embeddings.create(model=MODEL, input=[words[number % 3] for number in range(2048)])
    assert [item.index for item in answer.data] == list(range(2048))
    assert (vectors(answer) == alone[np.arange(2048) % 3]).all()


def test_vectors_may_be_cut_where_the_model_was_trained_for_it(
    client: openai.OpenAI, api: httpx.Client, flexible_model: str
) -> None:
    whole = own(api, TEXTS, model_id=flexible_model, normalize=False)
    cut = vectors(client.embeddings.create(model=flexible_model, input=TEXTS, dimensions=FLEXIBLE_MIN_DIMENSION))
    first = whole[:, :FLEXIBLE_MIN_DIMENSION]
    assert np.allclose(cut, first / np.linalg.norm(first, axis=1, keepdims=True), atol=1e-6)
    assert (own(api, TEXTS, model_id=flexible_model, normalize=False, dimensions=64) == first).all()
    with pytest.raises(openai.BadRequestError, match="between 64 and 384"):
        client.embeddings.create(model=flexible_model, input=TEXTS, dimensions=63)


def test_ids_from_tokenize_give_the_vector_of_the_text(
    client: openai.OpenAI, api: httpx.Client, flexible_model: str
) -> None:
    items = ok(api.post("/v1/tokenize", json={"inputs": TEXTS, "model_id": flexible_model}))["items"]
    answer = client.embeddings.create(model=flexible_model, input=[item["ids"] for item in items])
    again = client.embeddings.create(model=flexible_model, input=items[0]["ids"])
    assert np.allclose(vectors(answer), own(api, TEXTS, model_id=flexible_model), atol=1e-5)
    assert (vectors(again)[0] == vectors(answer)[0]).all()
    assert answer.usage.prompt_tokens == sum(item["tokens"] for item in items)


def test_ids_beyond_the_vocabulary_fail_and_name_the_input(client: openai.OpenAI, flexible_model: str) -> None:
    with pytest.raises(openai.BadRequestError) as caught:
        client.embeddings.create(model=flexible_model, input=[[101, 102], [101, 10**6, 102]])
    assert (caught.value.code, caught.value.param) == ("invalid_ids", "input[1]")


def test_models_are_listed_and_found(client: openai.OpenAI, flexible_model: str, external_model: str) -> None:
    listed = {model.id for model in client.models.list()}
    assert {MODEL, flexible_model} <= listed
    assert external_model not in listed
    found = client.models.retrieve(flexible_model)
    assert (found.id, found.object) == (flexible_model, "model")
    assert found.created > 0


def test_errors_are_of_the_classes_a_client_expects(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as missing:
        client.embeddings.create(model="text-embedding-3-small", input="x")
    assert (missing.value.code, missing.value.param) == ("unknown_model", "model")
    with pytest.raises(openai.BadRequestError) as empty:
        client.embeddings.create(model=MODEL, input=["x", ""])
    assert (empty.value.param, empty.value.type) == ("input[1]", "invalid_request_error")
    with pytest.raises(openai.NotFoundError):
        client.models.retrieve("no-such")


def test_langchain_embeds_documents_and_queries(service: Service, api: httpx.Client) -> None:
    from langchain_openai import OpenAIEmbeddings  # here: every process collects, and this one takes seconds to load

    with httpx.Client(timeout=30.0) as http:
        chain = OpenAIEmbeddings(
            model=MODEL,
            base_url=f"{service.url}/v1",
            api_key=SecretStr("x"),
            check_embedding_ctx_length=False,
            http_client=http,
        )
        assert np.allclose(chain.embed_documents(TEXTS), own(api, TEXTS))
        assert np.allclose(chain.embed_query("a red fox"), own(api, ["a red fox"])[0])
