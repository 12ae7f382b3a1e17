"""LangChain's own tests of an embedding class, for its OpenAI client and for embsearch, with a running service."""

import os
from typing import Any

from embsearch import Client
from embsearch.langchain import EmbSearchEmbeddings
from langchain_core.embeddings import Embeddings
from langchain_openai import OpenAIEmbeddings
from langchain_tests.integration_tests import EmbeddingsIntegrationTests


class TestOpenAIClient(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return OpenAIEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {
            "model": "all-MiniLM-L6-v2",
            "base_url": f"{os.environ['SERVICE_URL']}/v1",
            "api_key": "not-needed",
            # Else the class sends token ids of another model's tokenizer instead of text.
            "check_embedding_ctx_length": False,
        }


class TestOwnClient(EmbeddingsIntegrationTests):
    @property
    def embeddings_class(self) -> type[Embeddings]:
        return EmbSearchEmbeddings

    @property
    def embedding_model_params(self) -> dict[str, Any]:
        return {"client": Client(os.environ["SERVICE_URL"])}
