"""The suite that LangChain gives to makers of embeddings, unmodified, in a run of pytest of its own."""

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.conftest import Service

SUITE = Path(__file__).parent / "langchain_suite"


def test_the_embedding_suite_of_langchain_passes(service: Service) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-c", str(SUITE / "pytest.ini"), "--rootdir", str(SUITE), str(SUITE)],
        env={**os.environ, "SERVICE_URL": service.url},
        cwd=SUITE,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-3000:]
    summary = run.stdout.splitlines()[-1]
    assert re.search(r"\b[4-9] passed", summary), summary
    assert "skipped" not in summary
