"""The suites that LangChain gives to makers of embeddings and of vector stores, unmodified, in runs of their own."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT, Service, once

SUITE = Path(__file__).parent / "langchain_suite"
EXTERNAL_MODEL, SUITES_DIMENSION = "langchain-6", 6
"""A model that takes the vectors of the embeddings that the suite brings."""


@pytest.mark.parametrize(("file", "least"), [("embeddings", 8), ("vector_stores", 75), ("store_behaviour", 11)])
def test_the_suites_of_langchain_pass(file: str, least: int, service: Service) -> None:
    options = ("--model-id", EXTERNAL_MODEL, "--type", "external", "--dimension", str(SUITES_DIMENSION))
    once(EXTERNAL_MODEL, lambda: service.manage("register_model", *options, "--activate"))
    environ = {
        "SERVICE_URL": service.url,
        "EMBSEARCH_URL": service.url,
        "EXTERNAL_MODEL": EXTERNAL_MODEL,
        "PYTHONPATH": str(ROOT / "clients" / "python" / "src"),
    }
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", "pytest.ini", "--rootdir", str(SUITE), f"{file}.py"],
        env={**os.environ, **environ},
        cwd=SUITE,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-6000:]
    summary = run.stdout.splitlines()[-1]
    passed = re.search(r"(\d+) passed", summary)
    assert passed is not None, summary
    assert int(passed[1]) >= least, summary
    assert "skipped" not in summary
