"""The suites that LangChain gives to makers of embeddings and of vector stores, unmodified, in runs of their own."""

import sys
from pathlib import Path

import pytest

from tests.acceptance.suites import passed
from tests.conftest import Service, once

SUITE = Path(__file__).parent / "langchain_suite"
EXTERNAL_MODEL, SUITES_DIMENSION = "langchain-6", 6
"""A model that takes the vectors of the embeddings that the suite brings."""


@pytest.mark.parametrize(("file", "least"), [("embeddings", 8), ("vector_stores", 75), ("store_behaviour", 11)])
def test_the_suites_of_langchain_pass(file: str, least: int, service: Service) -> None:
    options = ("--model-id", EXTERNAL_MODEL, "--type", "external", "--dimension", str(SUITES_DIMENSION))
    once(EXTERNAL_MODEL, lambda: service.manage("register_model", *options, "--activate"))
    environ = {"SERVICE_URL": service.url, "EMBSEARCH_URL": service.url, "EXTERNAL_MODEL": EXTERNAL_MODEL}
    assert passed(sys.executable, SUITE, file, environ) >= least
