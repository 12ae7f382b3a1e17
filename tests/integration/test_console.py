"""Pages of the console as they are sent: what stands in them, and what a browser is told to refuse."""

import re
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.test import Client

from embeddings_app.console import page as page_module
from embeddings_app.console.pages import PAGES

CONSOLE = Path(page_module.__file__).parent
SENT = [f"/console/{page.path}" for page in PAGES] + ["/console/nothing/"]
# WhiteNoise also looks for collected files, of which a checkout has none.
pytestmark = pytest.mark.filterwarnings("ignore:No directory at:UserWarning")


@pytest.mark.parametrize("path", SENT)
def test_a_page_holds_no_script_no_style_and_nothing_from_elsewhere(database: str, path: str) -> None:
    answer = Client(SERVER_NAME="localhost").get(path)
    assert answer.status_code == (404 if path.endswith("nothing/") else 200)
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    markup = answer.content.decode()
    assert re.findall(r"<script(?![^>]* src=)|<style|[ ]style=|[ ]on[a-z]+=|https?://", markup) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_page_is_three_files_of_one_name(page: page_module.Page) -> None:
    assert (CONSOLE / "pages" / f"{page.name}.py").is_file()
    assert (CONSOLE / "templates" / page.template).is_file()
    assert finders.find(page.module)


def test_no_module_makes_elements_out_of_markup() -> None:
    ways = re.compile(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|DOMParser|createContextualFragment|\beval\("
    )
    own = [path for path in (CONSOLE / "static").rglob("*.js") if "vendor" not in path.parts]
    assert len(own) > 10
    assert [
        path.name for path in own for line in path.read_text().splitlines() if ways.search(line) and "//" not in line
    ] == []


def test_every_icon_that_is_named_exists() -> None:
    sprite = (CONSOLE / "static/console/vendor/icons.svg").read_text()
    there = set(re.findall(r'<symbol id="([^"]+)"', sprite))
    markup = "".join(path.read_text() for path in (CONSOLE / "templates").rglob("*.html"))
    code = "".join(path.read_text() for path in (CONSOLE / "static").rglob("*.js"))
    named = set(re.findall(r'with name="([a-z]+)"', markup)) | set(re.findall(r'icon\("([a-z]+)"\)', code))
    assert named | {page.icon for page in PAGES} <= there
