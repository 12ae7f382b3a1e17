"""The Python code on the pages that use the Python client, run as it stands there, block after block."""

from pathlib import Path

import pytest

from tests.acceptance.python_blocks import run_blocks
from tests.conftest import ROOT, Service

HOW_TO = ROOT / "docs" / "how-to"
PAGES = (
    ROOT / "README.md",
    ROOT / "clients" / "python" / "README.md",
    HOW_TO / "use-the-python-client.md",
    HOW_TO / "use-langchain.md",
    HOW_TO / "build-rag.md",
    HOW_TO / "chunk-long-documents.md",
    HOW_TO / "search-several-languages.md",
)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_the_python_code_of_a_page_works(
    page: Path, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    run_blocks(page, service.url)
