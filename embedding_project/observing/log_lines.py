"""The one form of all log lines, for every role: text, or an object of JSON on each line.

Each line names the requests it belongs to. Libraries speak from WARNING upwards whatever LOG_LEVEL says: below that,
some of them write down what they are given, and that may be a user's.
"""

import json
import logging
import re
import traceback
from datetime import UTC, datetime
from typing import Any

from embedding_project.config import Config, load_config
from embedding_project.observing.request_context import shown_requests

_TEXT = "%(asctime)s %(levelname)s %(name)s request=%(request)s %(message)s"
_OWN_PACKAGES = ("embedding_project", "embeddings_app", "index_nodes", "workers", "bulk_ingest")
_QUOTING = ("celery", "kombu")
_NOT_SAID = re.compile(r"%|\n")
_WARNED_BY_CELERY = re.compile(r"(?<=Exception raised outside body).*", re.DOTALL)
_FORMATTER = "embedding_project.observing.log_lines.line_formatter"
_FILTERS = {
    "requests": {"()": "embedding_project.observing.log_lines.RequestIds"},
    "content": {"()": "embedding_project.observing.log_lines.NoContent"},
}


class RequestIds(logging.Filter):
    """Writes the ids of the requests being worked on into every record."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.request = shown_requests()
        return True


class NoContent(logging.Filter):
    """Takes out of the lines of Celery and kombu what they quote: bodies of messages, and errors that quote in turn."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith(_QUOTING):
            error = record.exc_info[1] if record.exc_info else None
            if error is not None or "body" in str(record.msg):
                said = _NOT_SAID.split(str(record.msg))[0].rstrip(": ")
                record.msg = f"{said}: {place_of(error)}" if error else said
                record.args, record.exc_info, record.exc_text = (), None, None
        elif record.name == "py.warnings":
            record.msg, record.args = _WARNED_BY_CELERY.split(record.getMessage())[0], ()
        return True


class JsonLines(logging.Formatter):
    def __init__(self, role: str) -> None:
        super().__init__()
        self._role = role

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            "request": getattr(record, "request", "-"),
            "role": self._role,
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)


def place_of(error: BaseException) -> str:
    """Type and frames of a fault nobody foresaw, for a line of the log: its message may quote what a user sent."""
    return f"{type(error).__name__}\n{''.join(traceback.format_tb(error.__traceback__))}"


def line_formatter(config: Config | None = None) -> logging.Formatter:
    """The formatter that LOG_FORMAT asks for. Named in `granian.json` too, for the lines of the HTTP server."""
    config = config or load_config()
    return JsonLines(config.role) if config.log_format == "json" else logging.Formatter(_TEXT)


def logging_settings(config: Config) -> dict[str, Any]:
    """What `logging.config.dictConfig` takes."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"line": {"()": _FORMATTER}},
        "filters": _FILTERS,
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line", "filters": [*_FILTERS]}},
        "root": {"handlers": ["console"], "level": "ERROR" if config.log_level == "ERROR" else "WARNING"},
        "loggers": {
            **{package: {"level": config.log_level} for package in _OWN_PACKAGES},
            # Django logs every answer from 400 upwards once more; `api.errors` has said what there is to say.
            "django.request": {"level": "CRITICAL"},
        },
    }
