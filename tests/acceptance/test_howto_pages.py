"""What the documentation tells people to type works, page by page, in the order in which it stands there.

Only blocks of shell commands are run. A block that no test can run has a comment with the reason above it.
"""

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.acceptance.page_commands import Block, Terminal, blocks_of
from tests.conftest import ROOT, Service, outside_environment
from tests.loaded_commands import Run, loaded_commands
from tests.spark_packages import set_up_spark

ELSEWHERE = {"use-from-celery.md", "use-from-django.md"}
"""Their commands make a project of the reader's own; test_django_project.py follows them."""
HOW_TO = sorted(page for page in (ROOT / "docs" / "how-to").glob("*.md") if page.name not in ELSEWHERE)
PAGES = (ROOT / "README.md", ROOT / "docs" / "quickstart.md", *HOW_TO)
BLOCKS = {page: blocks_of(page) for page in PAGES}
RUN = {page: [block for block in blocks if not block.reason] for page, blocks in BLOCKS.items()}
MOST_NOT_RUN = 55
PATIENCE_SECONDS = 120.0


def until(holds: Callable[[], bool]) -> None:
    give_up = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < give_up, "it did not happen in time"
        time.sleep(0.2)


def status_of(terminal: Terminal, model_id: str, version: int) -> str:
    headers = {"Authorization": f"Bearer {terminal.key}"}
    url = f"{terminal.service.url}/v1/models/{model_id}/versions/{version}"
    return str(httpx.get(url, headers=headers, timeout=30).json()["status"])


def let_the_run_finish(terminal: Terminal) -> None:
    until(lambda: status_of(terminal, "all-MiniLM-L6-v2", 2) == "shadow")
    terminal.prepare("measure", "all-MiniLM-L6-v2", "2")


def take_the_new_version_again(terminal: Terminal) -> None:
    terminal.prepare("models", "switch", "all-MiniLM-L6-v2", "2")


def write_queries(terminal: Terminal) -> None:
    (terminal.folder / "queries.txt").write_text("where do foxes sleep?\nheat transfer\n")


def ask_under_the_shown_id(terminal: Terminal) -> None:
    headers = {"Authorization": f"Bearer {terminal.key}", "X-Request-Id": "4f1c2a9e77d0b3a1"}
    # There already, where the pages before have written to it.
    namespace = f"{terminal.service.url}/v1/namespaces/default"
    httpx.put(namespace, json={}, headers=headers, timeout=30).raise_for_status()
    body = {"query": "where do foxes sleep?", "namespace": "default"}
    httpx.post(f"{terminal.service.url}/v1/search", json=body, headers=headers, timeout=30).raise_for_status()
    logs = terminal.service.var / "logs"
    until(lambda: any(headers["X-Request-Id"] in path.read_text(errors="replace") for path in logs.glob("*.log")))


def fill_two_versions(terminal: Terminal) -> None:
    """Namespace and model `papers`, with a version that answers and one in shadow, and judgements of people."""
    model = ("--model-id", "papers", "--type", "transformers", "--artifact", "hashing:")
    register = ("register_model", *model, "--dimension", "32", "--max-tokens", "64")
    terminal.prepare(*register, "--activate")
    texts = [f"abstract {number} of heat and of transfer" for number in range(30)]
    documents = [{"id": str(number), "text": text} for number, text in enumerate(texts)]
    httpx.post(
        f"{terminal.service.url}/v1/upsert",
        json={"namespace": "papers", "model_id": "papers", "documents": documents, "wait": "searchable"},
        headers={"Authorization": f"Bearer {terminal.key}"},
        timeout=60,
    ).raise_for_status()
    for command in (register, ("models", "probe", "papers", "2"), ("reembed", "start", "papers", "2")):
        terminal.prepare(*command)
    until(lambda: status_of(terminal, "papers", 2) == "shadow")
    queries = '{"_id": "1", "text": "abstract 3 of heat and of transfer"}\n'
    (terminal.folder / "queries.jsonl").write_text(queries)
    (terminal.folder / "qrels.tsv").write_text("query-id\tcorpus-id\tscore\n1\t3\t3\n")


BEFORE: dict[str, Callable[[Terminal], None]] = {
    '"namespace": "papers", "query": "heat transfer", "model_version": 2': fill_two_versions,
    "models switch all-MiniLM-L6-v2 2\n": let_the_run_finish,
    "models retire all-MiniLM-L6-v2 1": take_the_new_version_again,
    "warm_cache": write_queries,
    "grep -h 4f1c2a9e77d0b3a1": ask_under_the_shown_id,
    "--engine spark": lambda _: set_up_spark(),
}


@pytest.fixture(scope="module")
def run(small: Service) -> Iterator[Run]:
    with loaded_commands({**os.environ, **outside_environment(small.var)}, knows_instance=True) as run:
        yield run


@pytest.fixture(scope="module")
def key(run: Run) -> str:
    """With every scope. It ends keyless use, so this file is the last one that asks the instance."""
    scopes = [option for scope in ("embed", "search", "write", "operate", "admin") for option in ("--scope", scope)]
    done = run("apikey", "create", "--name", "pages", *scopes, "--yes")
    found = re.search(r"emb_\S+", done.stdout)
    assert found, done.stderr
    return found[0]


@pytest.fixture
def terminal(small: Service, run: Run, key: str, tmp_path: Path) -> Terminal:
    assert shutil.which("curl"), "the pages use curl"
    return Terminal(small, run, tmp_path, key, BEFORE)


@pytest.mark.slow
@pytest.mark.parametrize(
    "page", [page for page, blocks in RUN.items() if blocks], ids=lambda page: page.relative_to(ROOT).as_posix()
)
def test_the_commands_of_a_page_work(page: Path, terminal: Terminal) -> None:
    for block in RUN[page]:
        terminal.run(block)


@pytest.mark.parametrize(
    "code", ["curl -s localhost:8000/v1/nothing", ".venv/bin/python -c 'import no_such'", "false\ntrue"]
)
def test_a_command_that_does_not_work_is_noticed(code: str, terminal: Terminal) -> None:
    with pytest.raises(AssertionError, match="a page"):
        terminal.run(Block(page="a page", line=1, code=f"{code}\n", reason=""))


def test_few_blocks_are_not_run_and_each_has_its_reason() -> None:
    left: list[Block] = [block for blocks in BLOCKS.values() for block in blocks if block.reason]
    assert len(left) <= MOST_NOT_RUN
    assert all(len(block.reason) > 10 for block in left)


def test_what_is_prepared_is_still_on_a_page() -> None:
    shown = "".join(block.code for blocks in RUN.values() for block in blocks)
    assert [part for part in BEFORE if part not in shown] == []
