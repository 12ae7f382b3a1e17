"""The Python code on the pages about the Python client, run as it stands there, block after block."""

import re
from pathlib import Path

import pytest
from embsearch import Client

from tests.conftest import ROOT, Service

HOW_TO = ROOT / "docs" / "how-to"
PAGES = (
    ROOT / "clients" / "python" / "README.md",
    HOW_TO / "use-the-python-client.md",
    HOW_TO / "use-langchain.md",
)
_PYTHON = re.compile(r"^```python\n(.*?)^```$", re.M | re.S)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_code_of_a_page_works(
    page: Path, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = page.read_text(encoding="utf-8").replace("http://127.0.0.1:8000", service.url)
    blocks = list(_PYTHON.finditer(text))
    assert blocks
    known: dict[str, object] = {"__name__": page.stem}
    for block in blocks:
        line = text.count("\n", 0, block.start(1))
        exec(compile("\n" * line + block[1], str(page), "exec"), known)
    for value in known.values():
        if isinstance(value, Client):
            value.close()
