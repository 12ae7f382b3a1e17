"""Judgements from files: queries as JSON lines of BEIR, relevance as the qrels of BEIR or TREC.

{"_id": "q1", "text": "where do foxes sleep?"}        one query a line
q1 <tab> notes/1 <tab> 2                              BEIR, below a line of titles
q1 0 notes/1 2                                        TREC
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from embedding_project.contracts.errors import InvalidRequest
from embedding_project.contracts.limits import MAX_DOC_ID_BYTES, MAX_TEXT_BYTES
from embedding_project.contracts.text import checked_text, storable
from embedding_project.regular_files import open_regular

MAX_QUERIES = 20_000
MAX_JUDGEMENTS = 1_000_000
MAX_RELEVANCE = 1_000
_MAX_LINE_BYTES = 8 * MAX_TEXT_BYTES
_BEIR_TITLES = ("query-id", "query_id", "qid")


class BadJudgements(Exception):
    """A file cannot be used; the message names the file, the line, and what is wrong with it."""

    def __init__(self, path: Path, number: int, reason: str) -> None:
        super().__init__(f"{path.name}, line {number}: {reason}" if number else f"{path.name}: {reason}")


@dataclass(frozen=True, slots=True)
class Judgements:
    """Both map from the id of a query, and have the same ids."""

    texts: Mapping[str, str]
    relevance: Mapping[str, Mapping[str, int]]
    """Query -> document -> relevance, 0 for not at all."""
    unjudged: int
    """Queries of the file that no line of the qrels names. They are left out."""


def read_judgements(queries: Path, qrels: Path) -> Judgements:
    """Raises BadJudgements, and OSError when a file cannot be read."""
    texts = _texts(queries)
    relevance = _relevance(qrels, texts, queries)
    return Judgements({name: texts[name] for name in relevance}, relevance, len(texts) - len(relevance))


def _texts(path: Path) -> dict[str, str]:
    texts: dict[str, str] = {}
    for number, line in _lines(path):
        name, text = _query(path, number, line)
        if name in texts:
            raise BadJudgements(path, number, f"the query {_shown(name)} stands there twice")
        if len(texts) == MAX_QUERIES:
            raise BadJudgements(path, number, f"more than {MAX_QUERIES:,} queries")
        texts[name] = text
    if not texts:
        raise BadJudgements(path, 0, "there is no query")
    return texts


def _query(path: Path, number: int, line: str) -> tuple[str, str]:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        raise BadJudgements(path, number, "it is not JSON") from None
    if not isinstance(value, dict) or not {"_id", "text"} <= value.keys():
        raise BadJudgements(path, number, "it is not an object with _id and text")
    name = value["_id"]
    if not isinstance(name, str) or not name or len(name.encode(errors="replace")) > MAX_DOC_ID_BYTES:
        raise BadJudgements(path, number, f"_id must be a string of 1 to {MAX_DOC_ID_BYTES} bytes")
    if not storable(name):
        raise BadJudgements(path, number, "_id holds NUL or an unpaired surrogate")
    try:
        return name, checked_text(value["text"], "text")
    except InvalidRequest as error:
        raise BadJudgements(path, number, f"text: {error.message}") from None


def _relevance(path: Path, texts: Mapping[str, str], queries: Path) -> dict[str, dict[str, int]]:
    relevance: dict[str, dict[str, int]] = {}
    count = 0
    for number, line in _lines(path):
        cells = _cells(line)
        if number == 1 and cells[0].lower() in _BEIR_TITLES:
            continue
        name, doc_id, grade = _judgement(path, number, cells)
        if name not in texts:
            raise BadJudgements(path, number, f"{queries.name} has no query {_shown(name)}")
        if doc_id in relevance.setdefault(name, {}):
            raise BadJudgements(path, number, f"{_shown(doc_id)} is judged twice for the query {_shown(name)}")
        count += 1
        if count > MAX_JUDGEMENTS:
            raise BadJudgements(path, number, f"more than {MAX_JUDGEMENTS:,} judgements")
        relevance[name][doc_id] = grade
    if not relevance:
        raise BadJudgements(path, 0, "there is no judgement")
    return relevance


def _cells(line: str) -> list[str]:
    # An id of a document may hold a space, so a line with tabs is divided by tabs alone.
    return line.split("\t") if "\t" in line else line.split()


def _judgement(path: Path, number: int, cells: list[str]) -> tuple[str, str, int]:
    if len(cells) == 4:
        name, _, doc_id, grade = cells
    elif len(cells) == 3:
        name, doc_id, grade = cells
    else:
        wanted = "3 are expected (query, document, relevance), or 4 as in TREC (query, 0, document, relevance)"
        raise BadJudgements(path, number, f"it has {len(cells)} columns; {wanted}")
    try:
        value = int(grade)
    except ValueError:
        raise BadJudgements(path, number, f"the relevance {_shown(grade)} is not a whole number") from None
    if value > MAX_RELEVANCE:
        raise BadJudgements(path, number, f"the relevance {value} is larger than {MAX_RELEVANCE}")
    if not doc_id or not storable(doc_id):
        raise BadJudgements(path, number, "the id of the document is empty or holds NUL")
    # TREC marks spam with negative numbers: not relevant either.
    return name, doc_id, max(value, 0)


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines that are not blank, with their numbers from 1."""
    with open_regular(path) as file:
        number = 0
        while raw := file.readline(_MAX_LINE_BYTES + 1):
            number += 1
            if len(raw) > _MAX_LINE_BYTES:
                raise BadJudgements(path, number, f"it is longer than {_MAX_LINE_BYTES:,} bytes")
            try:
                line = raw.decode("utf-8").strip("\r\n")
            except UnicodeDecodeError:
                raise BadJudgements(path, number, "it is not UTF-8") from None
            if line.strip():
                yield number, line


def _shown(value: str) -> str:
    return repr(value[:80])
