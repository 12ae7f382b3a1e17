"""The command `embsearch`, against the double: what it prints, and the exit codes."""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from embsearch import Document
from embsearch.cli.arguments import parser
from embsearch.cli.console import Console
from embsearch.cli.program import main
from embsearch.cli.service_commands import watch
from embsearch.testing import FakeServer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Shell:
    server: FakeServer = field(default_factory=FakeServer)
    out: str = ""
    err: str = ""

    def run(self, *words: str, stdin: io.StringIO | None = None) -> int:
        out, err = io.StringIO(), io.StringIO()
        console = Console(out=out, err=err, stdin=stdin or io.StringIO(), transport=self.server.transport)
        code = main(words, console)
        self.out, self.err = out.getvalue(), err.getvalue()
        return code

    def json(self, *words: str, stdin: io.StringIO | None = None) -> list[Any]:
        assert self.run(*words, "--json", stdin=stdin) == 0, self.err
        return [json.loads(line) for line in self.out.splitlines()]


@pytest.fixture
def shell() -> Shell:
    shell = Shell()
    with shell.server.client() as client:
        client.namespace("notes").upsert(
            [
                Document("fox", "Foxes live in dens.", {"lang": "en", "year": 2024, "tags": ["red"]}),
                Document("owl", "Owls hunt at night.", {"lang": "en", "year": 2019}),
                Document("wal", "Wale singen.", {"lang": "de", "draft": True}),
            ]
        )
    return shell


def test_a_search_shows_the_nearest_first(shell: Shell) -> None:
    assert shell.run("search", "foxes in dens", "-n", "notes", "-k", "1", "--text") == 0
    assert "fox  Foxes live in dens." in shell.out
    (answer,) = shell.json("search", "foxes in dens", "-n", "notes", "-f", "lang=en", "-f", "year<2020")
    assert [hit["id"] for hit in answer["hits"]] == ["owl"]
    assert shell.json("search", "-", "-n", "notes", "--min-score", "0.99", stdin=io.StringIO("Wale singen."))[0]["hits"]
    (near,) = shell.json("similar", "fox", "-n", "notes")
    assert {hit["id"] for hit in near["hits"]} == {"owl", "wal"}


def test_a_search_by_words_marks_them(shell: Shell) -> None:
    assert shell.run("ns", "text-search", "notes", "simple") == 0
    assert shell.run("search", "hunt", "-n", "notes", "--mode", "text", "--highlight") == 0
    assert "owl  Owls *hunt* at night." in shell.out
    parts = ("--phrase", "in dens", "--prefix", "fox", "--token", "Foxes", "--without", "cats")
    (answer,) = shell.json("search", "live", "-n", "notes", "--mode", "text", *parts)
    assert [hit["id"] for hit in answer["hits"]] == ["fox"]
    (answer,) = shell.json("search", "night", "-n", "notes", "--mode", "hybrid", "--prefix", "hunt")
    assert answer["hits"][0]["ranks"]["text"] == 1
    assert shell.run("ns", "new", "words", "--text-search", "english") == 0
    assert shell.server.state.spaces["words"].text_search == "english"


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        (["lang=en"], ["fox", "owl"]),
        (["lang!=en"], ["wal"]),
        (["year>=2019", "year<=2020"], ["owl"]),
        (["year>2019"], ["fox"]),
        (['year="2024"'], []),
        (["tags~red"], ["fox"]),
        (["draft"], ["wal"]),
        (["!draft"], ["fox", "owl"]),
        (["draft=true"], ["wal"]),
    ],
)
def test_conditions_choose_documents(conditions: Sequence[str], expected: list[str], shell: Shell) -> None:
    words = [word for text in conditions for word in ("-f", text)]
    assert [one["id"] for one in shell.json("ls", "-n", "notes", *words)] == expected
    assert shell.json("count", "-n", "notes", *words) == [{"count": len(expected), "is_exact": True}]


def test_documents_are_read_listed_and_counted(shell: Shell) -> None:
    assert shell.run("get", "fox", "-n", "notes") == 0
    assert "Foxes live in dens." in shell.out
    assert shell.run("get", "fox", "none", "-n", "notes") == 1
    assert "no document 'none'" in shell.err
    assert shell.run("ls", "-n", "notes", "--reverse", "--limit", "2") == 0
    assert [line.split()[0] for line in shell.out.splitlines()] == ["wal", "owl"]
    assert shell.run("count", "-n", "notes") == 0
    assert shell.out == "3\n"
    assert shell.run("facet", "lang", "-n", "notes") == 0
    assert shell.out == '2  "en"\n1  "de"\n'


def test_deletes_of_many_are_asked_for(shell: Shell) -> None:
    assert shell.json("rm", "-n", "notes", "-f", "lang=en", "--dry-run") == [{"deleted": 2, "dry_run": True}]
    assert shell.run("rm", "-n", "notes", "-f", "lang=en") == 1
    assert "Delete 2 documents of notes?" in shell.err
    assert shell.run("rm", "-n", "notes", "-f", "lang=en", stdin=Terminal("n\n")) == 1
    assert shell.run("rm", "-n", "notes", "-f", "lang=en", stdin=Terminal("y\n")) == 0
    assert shell.out == "2 documents\n"
    assert shell.run("rm", "-n", "notes") == 2
    assert shell.run("rm", "-n", "notes", "wal", "--all") == 2
    assert shell.json("rm", "-n", "notes", "--all", "--dry-run")[0]["deleted"] == 1
    assert shell.run("rm", "wal", "-n", "notes") == 0
    assert shell.run("rm", "-n", "notes", "--all", "--yes") == 0
    assert shell.out == "0 documents\n"


def test_namespaces_and_models_are_managed(shell: Shell) -> None:
    assert shell.run("ns", "new", "made") == 0
    assert [one["name"] for one in shell.json("ns", "ls")[0]["namespaces"]] == ["made", "notes"]
    assert shell.run("ns", "rm", "made") == 1
    assert shell.run("ns", "rm", "made", "--yes") == 0
    assert shell.run("ns", "rm", "made", "--yes") == 1
    assert shell.run("model", "ls") == 0
    assert "fake-model  1  active" in shell.out


def test_the_status_names_every_part(shell: Shell) -> None:
    assert shell.run("status") == 0
    assert shell.out.splitlines()[0] == "ready"
    assert "notes     3 documents" in shell.out
    (told,) = shell.json("status", "-n", "notes")
    assert (told["ready"], told["namespace"]["searchable"]) == (True, 3)


def test_a_watch_goes_on_while_the_service_is_away(shell: Shell) -> None:
    out, err, looks = io.StringIO(), io.StringIO(), 0

    def pause(_seconds: float) -> None:
        nonlocal looks
        looks += 1
        if looks == 1:
            shell.server.refuse(500, "internal_error")
        if looks == 3:
            raise KeyboardInterrupt

    arguments = parser().parse_args(["status", "--watch"])
    with shell.server.client(retries=0) as client, pytest.raises(KeyboardInterrupt):
        watch(client, arguments, Console(out=out, err=err), pause)
    assert out.getvalue().count("ready") == 2
    assert "internal_error" in err.getvalue()


def test_texts_are_embedded_line_by_line(shell: Shell) -> None:
    lines = shell.json("embed", "-", stdin=io.StringIO("a red fox\nein roter Fuchs\n"))
    assert [line["text"] for line in lines] == ["a red fox", "ein roter Fuchs"]
    assert len(lines[0]["vector"]) == 64
    assert shell.run("embed", "a red fox", "--query") == 0
    assert json.loads(shell.out) == lines[0]["vector"]


def test_what_is_exported_can_be_loaded(shell: Shell, tmp_path: Path) -> None:
    assert shell.run("export", "-n", "notes", "-f", "lang=en") == 0
    path = tmp_path / "notes.jsonl"
    path.write_text(shell.out)
    assert shell.run("load", str(path), "-n", "copy") == 0
    assert shell.out.startswith("2 documents written, 0 refused")
    assert shell.json("export", "-n", "copy") == [json.loads(line) for line in path.read_text().splitlines()]
    assert shell.run("load", "-", "-n", "copy", stdin=io.StringIO(path.read_text())) == 0


def test_a_load_says_what_was_refused(shell: Shell, tmp_path: Path) -> None:
    path, rejects = tmp_path / "notes.csv", tmp_path / "rejects.jsonl"
    path.write_text("key,body,year,draft\n1,a fox,2024,yes\n2, ,2025,no\n3,an owl,late,no\n")
    words = ("load", str(path), "-n", "csv", "--id", "key", "--text", "body", "--meta", "year:number,draft:boolean")
    assert shell.run(*words, "--rejects", str(rejects), "--resume", "--wait") == 4
    assert "1 document written, 2 refused" in shell.out
    assert [json.loads(line)["id"] for line in rejects.read_text().splitlines()] == ["2", "3"]
    assert shell.json("ls", "-n", "csv")[0]["metadata"] == {"year": 2024, "draft": True}
    assert shell.run(*words[:-1], "year:date") == 2
    assert shell.run("load", str(tmp_path / "none.jsonl")) == 2
    assert shell.run("load", "-", "--resume") == 2


def test_errors_have_their_exit_codes(shell: Shell) -> None:
    assert shell.run("count", "-n", "none") == 1
    assert "unknown_namespace" in shell.err
    assert shell.run("count", "-n", "none", "--json") == 1
    assert json.loads(shell.err)["error"]["code"] == "unknown_namespace"
    assert shell.run("count", "-n", "notes", "--url", "no-url") == 2
    assert main(["count", "--url", "http://127.0.0.1:9"], Console(out=io.StringIO(), err=io.StringIO())) == 3
    assert main(["load", "-", "--url", "http://127.0.0.1:9"], Console(out=io.StringIO(), err=io.StringIO())) == 3
    with pytest.raises(SystemExit) as caught:
        shell.run("find")
    assert caught.value.code == 2
    with pytest.raises(SystemExit):
        shell.run("ls", "-f", "=en")
