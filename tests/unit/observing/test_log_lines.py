"""Log lines: one form for everybody, naming the requests being worked on."""

import json
import logging
from dataclasses import replace
from logging.config import dictConfig

import pytest
from celery.worker.consumer.consumer import (
    INVALID_TASK_ERROR,
    MESSAGE_DECODE_ERROR,
    UNKNOWN_FORMAT,
    UNKNOWN_TASK_ERROR,
)

from embedding_project.config import Config, load_config
from embedding_project.contracts.origins import Origin
from embedding_project.observing.log_lines import JsonLines, NoContent, RequestIds, line_formatter, logging_settings
from embedding_project.observing.request_context import serving, shown_requests


def line(formatter: logging.Formatter, message: str, *arguments: object) -> str:
    record = logging.LogRecord("workers.somewhere", logging.WARNING, __file__, 1, message, arguments, None)
    assert RequestIds().filter(record)
    return formatter.format(record)


@pytest.fixture
def config() -> Config:
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
def test_the_setting_decides_the_form(config: Config, chosen: str, kind: type[logging.Formatter]) -> None:
    formatter = line_formatter(replace(config, log_format=chosen))
    assert type(formatter) is kind
    assert "said" in line(formatter, "said")


def test_a_line_of_text_names_its_requests(config: Config) -> None:
    formatter = line_formatter(replace(config, log_format="text"))
    assert "WARNING workers.somewhere request=- said" in line(formatter, "said")
    with serving((Origin("a"), Origin("b"))):
        assert "request=a,b said" in line(formatter, "said")


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


def _quoting(name: str, message: str, *arguments: object) -> str:
    """A line as Celery writes it, with an error that quotes its message."""
    try:
        raise KeyError("secret")
    except KeyError as error:
        raised = (type(error), error, error.__traceback__)
    record = logging.LogRecord(name, logging.ERROR, __file__, 1, message, arguments, raised)
    assert NoContent().filter(record)
    return logging.Formatter().format(record)


@pytest.mark.parametrize(
    ("message", "arguments", "kept"),
    [
        (UNKNOWN_TASK_ERROR, ("secret",) * 4, "Received unregistered task of type: KeyError\n"),
        (INVALID_TASK_ERROR, ("secret",) * 2, "Received invalid task message: KeyError\n"),
        (MESSAGE_DECODE_ERROR, ("secret",) * 5, "Can't decode message body: KeyError\n"),
        ("Task %(name)s raised unexpected: %(exc)s", ({"name": "t", "exc": "secret"},), "Task: KeyError\n"),
    ],
)
def test_lines_of_celery_hold_no_content(message: str, arguments: tuple[object, ...], kept: str) -> None:
    said = _quoting("celery.worker.consumer.consumer", message, *arguments)
    assert said.startswith(kept)
    assert __file__ in said
    assert "'secret'" not in said


def test_a_line_of_celery_without_an_error_loses_only_a_body() -> None:
    for message, shown in ((UNKNOWN_FORMAT, False), ("cannot connect to %s", True)):
        record = logging.LogRecord("celery.worker", logging.ERROR, __file__, 1, message, ("secret",), None)
        assert NoContent().filter(record)
        assert ("secret" in record.getMessage()) == shown


def test_a_warning_of_celery_about_a_task_holds_no_error() -> None:
    kept = "trace.py:809: RuntimeWarning: Exception raised outside body"
    warned = f"{kept}: KeyError('secret'):\nTraceback\nKeyError: 'secret'"
    record = logging.LogRecord("py.warnings", logging.WARNING, __file__, 1, "%s", (warned,), None)
    assert NoContent().filter(record)
    assert record.getMessage() == kept


def test_own_lines_stay_as_they_are() -> None:
    assert "secret" in _quoting("workers.somewhere", "a body of %s", "secret")
