"""The reference pages name everything there is, with its true values; links lead somewhere; JSON parses."""

import json
import re
import tomllib
from functools import cache
from pathlib import Path

import pytest
from django.core.management import get_commands

from embedding_project import VERSION
from embedding_project.config import SETTINGS
from embedding_project.contracts import limits
from embedding_project.contracts.errors import ERROR_KINDS
from embeddings_app.api.urls import urlpatterns
from supervisor.commands import SUPERVISED
from tests.acceptance.bad_input_page import page as bad_input_page
from tests.conftest import ROOT
from tests.unit.docs.known_metrics import known_metrics, metric_names, metrics_in

DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"
PAGES = sorted(
    [ROOT / "README.md", ROOT / "CHANGELOG.md", ROOT / "clients" / "python" / "README.md", *DOCS.rglob("*.md")]
)
LIMITS = {name: value for name, value in vars(limits).items() if name.isupper()}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def _rows(page: str) -> dict[str, list[str]]:
    """Cells of the table rows of a reference page, by the name in code style in their first cell."""
    rows = {}
    for line in (REFERENCE / page).read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split(" | ")]
        name = re.fullmatch(r"\|?\s*`([^`]+)`", cells[0])
        if line.startswith("| `") and name:
            rows[name[1]] = cells[1:]
    return rows


def _routes() -> list[str]:
    """Paths as the page writes them: /v1/vectors/{doc_id}."""
    return ["/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", str(pattern.pattern)) for pattern in urlpatterns]


def _own_commands() -> list[str]:
    return [name for name, app in get_commands().items() if app == "embeddings_app"]


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_is_documented_with_its_default(name: str) -> None:
    default = SETTINGS[name].default
    assert _rows("configuration.md")[name][1] == (f"`{default}`" if default else "empty")


def test_the_documented_secrets_are_those_that_may_stand_in_files() -> None:
    marked = {name for name, cells in _rows("configuration.md").items() if "(secret)" in cells[0]}
    assert marked == {name for name, setting in SETTINGS.items() if setting.secret}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_range_and_choice_is_documented(name: str) -> None:
    documented = _rows("configuration.md")[name][0]
    complaints: list[str] = []
    SETTINGS[name].kind("-1", complaints.append)
    expected = []
    if between := re.fullmatch(r"(.+) to (.+)", documented):
        expected = [f"-1 is not between {between[1]} and {between[2]}"]
    elif documented.startswith("`"):
        expected = [f"'-1' is not one of {', '.join(re.findall('`(.+?)`', documented))}"]
    assert [said for said in complaints if re.search("not between|not one of", said)] == expected


def test_no_setting_is_documented_that_is_not_there() -> None:
    names = {name for name in _rows("configuration.md") if name.isupper()}
    assert names == set(SETTINGS)


def test_the_errors_are_those_of_the_table() -> None:
    written = {code: tuple(cells) for code, cells in _rows("errors.md").items()}
    assert written == {
        code: (str(kind.status), "yes" if kind.retryable else "no", kind.meaning) for code, kind in ERROR_KINDS.items()
    }


def test_the_limits_are_those_of_the_code() -> None:
    written = {name: cells[0] for name, cells in _rows("limits.md").items() if name.isupper()}
    assert written == {name: str(value) for name, value in LIMITS.items()}


def test_the_metrics_are_those_of_the_code() -> None:
    written = {name: cells[0] for name, cells in _rows("metrics.md").items()}
    assert written == {name: metric.type for name, metric in known_metrics().items()}


def test_the_grafana_dashboard_asks_for_metrics_that_exist() -> None:
    text = (ROOT / "deploy" / "grafana" / "dashboard.json").read_text(encoding="utf-8")
    panels = [panel for panel in json.loads(text)["panels"] if panel["type"] != "row"]
    queries = [target["expr"] for panel in panels for target in panel["targets"]]
    asked = metrics_in(queries)
    assert len(queries) >= len(panels) > 10
    assert asked <= metric_names()
    assert asked >= {"api_requests_total", "embed_cache_lookups_total", "replica_lag_entries", "queue_messages"}


@pytest.mark.parametrize("route", _routes())
def test_every_route_is_in_the_reference(route: str) -> None:
    text = (REFERENCE / "api.md").read_text(encoding="utf-8")
    assert re.search(rf"`(?:(?:GET|POST|DELETE) )?{re.escape(route)}`", text), route


@pytest.mark.parametrize("command", sorted([*SUPERVISED, *_own_commands()]))
def test_every_command_has_its_section(command: str) -> None:
    assert f"### {command}\n" in (REFERENCE / "commands.md").read_text(encoding="utf-8")


def test_every_make_target_is_documented() -> None:
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    written = {name for name in _rows("commands.md") if name.startswith("make ")}
    assert written == {f"make {target}" for target in targets}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page: Path) -> None:
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    dead = [link for link in _LINK.findall(text) if not link.startswith(("http://", "https://")) and _dead(page, link)]
    assert dead == []


def _dead(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return True
    return bool(anchor) and anchor not in _anchors(target)


@cache
def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_json_blocks_parse(page: Path) -> None:
    for language, block in _FENCE.findall(page.read_text(encoding="utf-8")):
        if language == "json":
            json.loads(block)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_tests_that_pages_name_exist(page: Path) -> None:
    names = re.findall(r"`(test_\w+)`", page.read_text(encoding="utf-8"))
    defined = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in names if f"def {name}(" not in defined] == []


def test_every_page_is_reached_from_the_readme() -> None:
    reached, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in reached:
            continue
        reached.add(page)
        links = [link.partition("#")[0] for link in _LINK.findall(page.read_text(encoding="utf-8"))]
        targets = [(page.parent / link).resolve() for link in links if link and "://" not in link]
        waiting += [target / "README.md" if target.is_dir() else target for target in targets if target.exists()]
        waiting = [target for target in waiting if target.suffix == ".md" and target.exists()]
    assert set(PAGES) - reached == set()


def test_the_page_of_bad_input_is_made_from_what_is_tested() -> None:
    assert (REFERENCE / "bad-input.md").read_text(encoding="utf-8") == bad_input_page()


def test_the_version_is_the_same_everywhere() -> None:
    for path in (ROOT / "pyproject.toml", ROOT / "clients" / "python" / "pyproject.toml"):
        project = tomllib.loads(path.read_text(encoding="utf-8"))["project"]
        assert (project["version"], project["license"]) == (VERSION, "Apache-2.0")
    newest = re.search(r"^## ([0-9.]+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert newest is not None
    assert newest[1] == VERSION
