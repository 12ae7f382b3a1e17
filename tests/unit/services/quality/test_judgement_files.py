"""Files of judgements: what is read, and how a bad line is told."""

import json
from pathlib import Path

import pytest

from embeddings_app.services.quality.judgement_files import BadJudgements, Judgements, read_judgements

QUERIES = [{"_id": "q1", "text": " where do foxes sleep? "}, {"_id": "q2", "text": "owls", "metadata": {}}]
BEIR = "query-id\tcorpus-id\tscore\nq1\tnotes/1\t2\nq1\ta doc\t0\n"


def write(folder: Path, queries: str | bytes, qrels: str | bytes) -> tuple[Path, Path]:
    paths = folder / "queries.jsonl", folder / "qrels.tsv"
    for path, content in zip(paths, (queries, qrels), strict=True):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return paths


def lines(*queries: object) -> str:
    return "\n".join(json.dumps(query) for query in queries) + "\n"


def read(folder: Path, qrels: str, queries: str = lines(*QUERIES)) -> Judgements:
    return read_judgements(*write(folder, queries, qrels))


def test_the_files_of_beir_are_read(tmp_path: Path) -> None:
    found = read(tmp_path, BEIR)
    assert found == Judgements({"q1": "where do foxes sleep?"}, {"q1": {"notes/1": 2, "a doc": 0}}, unjudged=1)


def test_the_qrels_of_trec_are_read_with_spam_as_not_relevant(tmp_path: Path) -> None:
    found = read(tmp_path, "q1 0 notes/1 2\nq1 0 notes/2 -2\nq2\t0\ta doc\t1\n")
    assert found.relevance == {"q1": {"notes/1": 2, "notes/2": 0}, "q2": {"a doc": 1}}


def test_blank_lines_and_line_ends_of_windows_do_not_matter(tmp_path: Path) -> None:
    assert read(tmp_path, BEIR.replace("\n", "\r\n") + "\r\n\r\n") == read(tmp_path, BEIR)


@pytest.mark.parametrize(
    ("queries", "qrels", "said"),
    [
        ("{}\n", BEIR, "queries.jsonl, line 1: it is not an object with _id and text"),
        ('\n{"_id": "q1"', BEIR, "queries.jsonl, line 2: it is not JSON"),
        ("[" * 100_000, BEIR, "queries.jsonl, line 1: it is not JSON"),
        (lines({"_id": 1, "text": "x"}), BEIR, "queries.jsonl, line 1: _id must be a string of 1 to 512 bytes"),
        (lines({"_id": "\ud800", "text": "x"}), BEIR, "queries.jsonl, line 1: _id holds NUL or an unpaired surrogate"),
        (lines({"_id": "q", "text": " "}), BEIR, "queries.jsonl, line 1: text: A text has no visible character"),
        (lines({"_id": "q", "text": 5}), BEIR, "queries.jsonl, line 1: text: must be a string"),
        (lines(QUERIES[0], QUERIES[0]), BEIR, "queries.jsonl, line 2: the query 'q1' stands there twice"),
        (b'{"_id": "q", "text": "\xff"}', BEIR, "queries.jsonl, line 1: it is not UTF-8"),
        ("x" * 300_000, BEIR, "queries.jsonl, line 1: it is longer than 262,144 bytes"),
        ("", BEIR, "queries.jsonl: there is no query"),
        (lines(*QUERIES), "", "qrels.tsv: there is no judgement"),
        (lines(*QUERIES), "query-id\tcorpus-id\tscore\n", "qrels.tsv: there is no judgement"),
        (lines(*QUERIES), "q1\td\n", "qrels.tsv, line 1: it has 2 columns; 3 are expected"),
        (lines(*QUERIES), "q1\td\t1\nq1\td2\tgood\n", "qrels.tsv, line 2: the relevance 'good' is not a whole number"),
        (lines(*QUERIES), "q1\td\t1.5\n", "qrels.tsv, line 1: the relevance '1.5' is not a whole number"),
        (lines(*QUERIES), "q1\td\t99999\n", "qrels.tsv, line 1: the relevance 99999 is larger than 1000"),
        (lines(*QUERIES), "q1\t\t1\n", "qrels.tsv, line 1: the id of the document is empty"),
        (lines(*QUERIES), "q9\td\t1\n", "qrels.tsv, line 1: queries.jsonl has no query 'q9'"),
        (lines(*QUERIES), "q1\td\t1\nq1\td\t2\n", "qrels.tsv, line 2: 'd' is judged twice for the query 'q1'"),
    ],
)
def test_a_bad_line_is_told_with_its_file_and_number(
    tmp_path: Path, queries: str | bytes, qrels: str, said: str
) -> None:
    paths = write(tmp_path, queries, qrels)
    with pytest.raises(BadJudgements) as raised:
        read_judgements(*paths)
    assert str(raised.value).startswith(said)


def test_a_file_that_is_not_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        read_judgements(tmp_path / "nothing", tmp_path / "nothing")
