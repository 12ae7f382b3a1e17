"""Log lines: one form for everybody, naming the requests being worked on."""

import json
import logging
from dataclasses import replace
from logging.config import dictConfig

import pytest

from embedding_project.config import Config, load_config
from embedding_project.contracts.origins import Origin
from embedding_project.observing import log_lines
from embedding_project.observing.log_lines import JsonLines, RequestIds, line_formatter, logging_settings
from embedding_project.observing.request_context import serving, shown_requests


def line(formatter: logging.Formatter, message: str, *arguments: object) -> str:
    record = logging.LogRecord("workers.somewhere", logging.WARNING, __file__, 1, message, arguments, None)
    assert RequestIds().filter(record)
    return formatter.format(record)


@pytest.fixture
def config(monkeypatch: pytest.MonkeyPatch) -> Config:
    return replace(load_config(), role="node-s0-r1", log_level="DEBUG")


def test_a_line_of_json_has_every_field() -> None:
    with serving((Origin("abc"),)):
        found = json.loads(line(JsonLines("node-s0-r1"), "%d queries\nin two lines", 3))
    assert found.pop("time").endswith("+00:00")
    assert found == {
        "level": "WARNING",
        "logger": "workers.somewhere",
        "message": "3 queries\nin two lines",
        "request": "abc",
        "role": "node-s0-r1",
    }


@pytest.mark.parametrize(("chosen", "kind"), [("json", JsonLines), ("text", logging.Formatter)])
def test_the_setting_decides_the_form(
    config: Config, chosen: str, kind: type[logging.Formatter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_lines, "load_config", lambda: replace(config, log_format=chosen))
    formatter = line_formatter()
    assert type(formatter) is kind
    assert "said" in line(formatter, "said")


def test_a_line_of_text_names_its_requests(config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_lines, "load_config", lambda: replace(config, log_format="text"))
    assert "WARNING workers.somewhere request=- said" in line(line_formatter(), "said")
    with serving((Origin("a"), Origin("b"))):
        assert "request=a,b said" in line(line_formatter(), "said")


def test_many_requests_are_clipped_and_counted() -> None:
    with serving(tuple(Origin(f"r{number}") for number in range(64))):
        assert shown_requests() == "r0,r1,r2,r3,+60"
    assert shown_requests() == "-"


def test_libraries_do_not_speak_below_warning(config: Config, capsys: pytest.CaptureFixture[str]) -> None:
    before = logging.root.handlers[:], logging.root.level
    try:
        dictConfig(logging_settings(config))
        logging.getLogger("celery.pool").debug("arguments of a task")
        logging.getLogger("celery.pool").warning("a library warns")
        logging.getLogger("index_nodes.node").debug("the project speaks")
    finally:
        logging.root.handlers[:], logging.root.level = before
        dictConfig(logging_settings(load_config()))
    written = capsys.readouterr().err
    assert "arguments of a task" not in written
    assert "a library warns" in written
    assert "the project speaks" in written
