"""The vector store for LlamaIndex, and the page about it, with the real package in an environment of its own."""

from pathlib import Path

import pytest

from tests.acceptance.own_environment import python_with
from tests.acceptance.suites import passed, run_page
from tests.conftest import ROOT, Service, once

SUITE = Path(__file__).parent / "llamaindex_suite"
PAGE = ROOT / "docs" / "how-to" / "use-llamaindex.md"
EXTERNAL_MODEL, DIMENSION = "llamaindex-384", 384
"""A model that takes the vectors that LlamaIndex makes."""


@pytest.fixture(scope="module")
def python() -> Path:
    return python_with("llama-index-core==0.14.25")


@pytest.mark.slow
def test_an_index_and_its_store(python: Path, service: Service) -> None:
    options = ("--model-id", EXTERNAL_MODEL, "--type", "external", "--dimension", str(DIMENSION))
    once(EXTERNAL_MODEL, lambda: service.manage("register_model", *options, "--activate"))
    environ = {"SERVICE_URL": service.url, "EXTERNAL_MODEL": EXTERNAL_MODEL}
    assert passed(python, SUITE, "vector_store", environ) >= 22


@pytest.mark.slow
def test_the_python_code_of_the_page_works(python: Path, service: Service, tmp_path: Path) -> None:
    run_page(python, PAGE, service.url, tmp_path)
