"""LangChain's own tests of a vector store, with a running service (SERVICE_URL)."""

import os
from collections.abc import AsyncIterator, Iterator

import pytest
from embsearch import AsyncClient, Client
from embsearch.langchain import EmbSearchVectorStore
from langchain_core.vectorstores import VectorStore
from langchain_tests.integration_tests import VectorStoreIntegrationTests


class TestTheServiceEmbeds(VectorStoreIntegrationTests):
    @pytest.fixture
    def vectorstore(self) -> Iterator[VectorStore]:
        with Client(os.environ["SERVICE_URL"]) as client:
            yield EmbSearchVectorStore("langchain", client=client)
            client.namespace("langchain").clear()


class TestTheServiceEmbedsAndAnAsyncClientSends(VectorStoreIntegrationTests):
    @pytest.fixture
    async def vectorstore(self) -> AsyncIterator[VectorStore]:
        url = os.environ["SERVICE_URL"]
        with Client(url) as client:
            async with AsyncClient(url) as async_client:
                yield EmbSearchVectorStore("langchain-async", client=client, async_client=async_client)
            client.namespace("langchain-async").clear()


class TestLangChainEmbeds(VectorStoreIntegrationTests):
    """The vectors come from the suite's embeddings, and the model of the service is one that takes vectors."""

    @pytest.fixture
    def vectorstore(self) -> Iterator[VectorStore]:
        with Client(os.environ["SERVICE_URL"]) as client:
            model_id = os.environ["EXTERNAL_MODEL"]
            yield EmbSearchVectorStore("langchain-external", self.get_embeddings(), client=client, model_id=model_id)
            client.namespace("langchain-external").clear()
