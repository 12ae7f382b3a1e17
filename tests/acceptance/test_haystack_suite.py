"""The suite that Haystack gives to makers of document stores, unmodified, and the page about it, in an environment that
has Haystack."""

from pathlib import Path

import pytest

from tests.acceptance.own_environment import python_with
from tests.acceptance.suites import passed, run_page
from tests.conftest import ROOT, Service, once

SUITE = Path(__file__).parent / "haystack_suite"
PAGE = ROOT / "docs" / "how-to" / "use-haystack.md"
EXTERNAL_MODEL, DIMENSION = "haystack-384", 384
"""A model that takes the vectors of a pipeline's embedder."""


@pytest.fixture(scope="module")
def python() -> Path:
    return python_with("haystack-ai==3.4.1")


@pytest.mark.slow
@pytest.mark.parametrize(("file", "least"), [("document_store", 60), ("store_behaviour", 14)])
def test_the_suites_of_haystack_pass(file: str, least: int, python: Path, service: Service) -> None:
    options = ("--model-id", EXTERNAL_MODEL, "--type", "external", "--dimension", str(DIMENSION))
    once(EXTERNAL_MODEL, lambda: service.manage("register_model", *options, "--activate"))
    environ = {
        "SERVICE_URL": service.url,
        "EXTERNAL_MODEL": EXTERNAL_MODEL,
        "HAYSTACK_TELEMETRY_ENABLED": "False",
    }
    assert passed(python, SUITE, file, environ) >= least


@pytest.mark.slow
def test_the_python_code_of_the_page_works(python: Path, service: Service, tmp_path: Path) -> None:
    run_page(python, PAGE, service.url, tmp_path)
