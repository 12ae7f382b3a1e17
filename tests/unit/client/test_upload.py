"""Loads by the Python client: what it reads, how it splits, what it says about bad rows, and how it goes on."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import httpx
import pytest
from embsearch import Client, Document, InvalidRequest, Namespace, NotFound, UploadProgress
from embsearch.testing import FakeServer
from embsearch.upload.checkpoint import Checkpoint

ROWS: list[dict[str, Any]] = [
    {"id": number, "text": f"the note {number}", "lang": "en" if number % 2 else "de", "year": 2000 + number}
    for number in range(10)
]


@pytest.fixture
def server() -> FakeServer:
    return FakeServer()


@pytest.fixture
def client(server: FakeServer) -> Iterator[Client]:
    with server.client(retries=0) as client:
        yield client


@pytest.fixture
def notes(client: Client) -> Namespace:
    return client.namespace("notes")


def kept(notes: Namespace) -> list[tuple[str, str | None, dict[str, Any]]]:
    found = sorted(notes.scan(), key=lambda document: int(document.id))
    return [(document.id, document.text, dict(document.metadata or {})) for document in found]


EXPECTED = [(str(row["id"]), row["text"], {"lang": row["lang"], "year": row["year"]}) for row in ROWS]


def frame() -> Any:
    import pandas

    return pandas.DataFrame(ROWS)


def json_lines(folder: Path) -> Path:
    path = folder / "notes.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS) + "\n")
    return path


def parquet(folder: Path) -> Path:
    import pyarrow.parquet

    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(ROWS), folder / "notes.parquet")
    return folder / "notes.parquet"


def comma_separated(folder: Path) -> Path:
    path = folder / "notes.csv"
    lines = [f'{row["id"]},"{row["text"]}",{row["lang"]},{row["year"]}' for row in ROWS]
    path.write_text("\ufeffid,text,lang,year\n" + "\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(
    "source",
    [
        lambda folder: ROWS,
        lambda folder: iter(ROWS),
        lambda folder: (Document(str(r["id"]), r["text"], {"lang": r["lang"], "year": r["year"]}) for r in ROWS),
        lambda folder: [
            {"id": r["id"], "text": r["text"], "metadata": {"lang": r["lang"], "year": r["year"]}} for r in ROWS
        ],
        lambda folder: frame(),
        json_lines,
        lambda folder: str(parquet(folder)),
    ],
    ids=["list", "iterator", "documents", "metadata", "DataFrame", "jsonl", "parquet"],
)
def test_every_kind_of_source_is_loaded(source: Any, notes: Namespace, tmp_path: Path) -> None:
    report = notes.upload(source(tmp_path), batch=3)
    assert kept(notes) == EXPECTED
    assert (report.rows, report.written, report.failed_count, report.failed, report.resumed) == (10, 10, 0, (), 0)


def test_columns_of_a_table_of_texts_can_be_made_numbers(notes: Namespace, tmp_path: Path) -> None:
    notes.upload(comma_separated(tmp_path), metadata={"lang": str, "year": int})
    assert kept(notes) == EXPECTED
    assert kept(notes)[0][2]["year"] == 2000


def test_columns_can_have_other_names(notes: Namespace) -> None:
    notes.upload([{"key": "1", "body": "a fox", "lang": "en", "draft": True}], id="key", text="body", metadata=["lang"])
    assert kept(notes) == [("1", "a fox", {"lang": "en"})]


def test_what_stands_for_nothing_is_left_out(notes: Namespace) -> None:
    import numpy
    import pandas

    table = pandas.DataFrame(
        {
            "id": numpy.array([1, 2]),
            "text": ["a", "b"],
            "score": [0.5, None],
            "at": pandas.to_datetime(["2026-01-02T00:00:00Z", None]),
            "tags": [numpy.array(["x", "y"]), None],
        }
    )
    notes.upload(table)
    assert kept(notes) == [
        ("1", "a", {"score": 0.5, "at": "2026-01-02T00:00:00+00:00", "tags": ["x", "y"]}),
        ("2", "b", {}),
    ]


def test_bad_rows_are_told_and_the_others_written(notes: Namespace, tmp_path: Path) -> None:
    path = tmp_path / "notes.jsonl"
    lines = ['{"id": "1", "text": "good"}', "{", "[]", '{"text": "no id"}', '{"id": "5", "text": " "}', '{"id": "6"}']
    path.write_text("\n".join([*lines, '{"id": "7", "text": "\\ud800"}', '{"id": "8", "text": "good"}']))
    report = notes.upload(path, batch=4)
    assert [document[0] for document in kept(notes)] == ["1", "8"]
    assert [(failed.row, failed.id, failed.code) for failed in sorted(report.failed, key=lambda one: one.row)] == [
        (1, None, "bad_row"),
        (2, None, "bad_row"),
        (3, None, "bad_row"),
        (4, "5", "empty_input"),
        (5, "6", "missing_field"),
        (6, "7", "bad_row"),
    ]
    assert (report.rows, report.written, report.failed_count) == (8, 2, 6)


def test_no_row_ends_a_load_however_bad_it_is(notes: Namespace, tmp_path: Path) -> None:
    nested: list[Any] = []
    for _ in range(100_000):
        nested = [nested]
    rows: list[Any] = [
        {"id": "1", "text": "infinite", "year": float("inf")},
        {"id": "2", "text": "a converter finds nothing", "year": "MMXXIV"},
        {"id": "3", "text": "a converter takes texts", "year": "2024", "lang": 1},
        Document("4", "no time", expires_at="tomorrow"),  # type: ignore[arg-type]
        Document("5", "deep", {"nested": nested}),
        {"id": "6", "text": "good", "year": 2024, "lang": "en"},
    ]
    years = {"MMXXVI": 2026}
    make = {"year": lambda year: years[year] if isinstance(year, str) else int(year), "lang": lambda lang: lang.upper()}
    report = notes.upload(rows, metadata=make)
    assert kept(notes) == [("6", "good", {"year": 2024, "lang": "EN"})]
    assert [(failed.row, failed.code) for failed in report.failed] == [(row, "bad_row") for row in range(5)]
    path = tmp_path / "notes.jsonl"
    path.write_text('{"id": "7", "text": "good"}\n{"id": "8", "tags": ' + 100_000 * "[" + "\n")
    report = notes.upload(path)
    assert (report.written, [(failed.row, failed.code) for failed in report.failed]) == (1, [(1, "bad_row")])
    path = tmp_path / "notes.csv"
    path.write_text(f"id,text\n9,{'x' * 1_100_000}\n10,good\n")
    report = notes.upload(path)
    assert (report.written, [(failed.row, failed.code) for failed in report.failed]) == (1, [(0, "bad_row")])


def test_a_request_of_bad_documents_only_names_each_of_them(notes: Namespace) -> None:
    report = notes.upload([{"id": str(number), "text": " "} for number in range(5)], batch=5)
    assert [failed.code for failed in report.failed] == ["empty_input"] * 5


def test_it_can_stop_at_the_first_bad_document(notes: Namespace) -> None:
    with pytest.raises(InvalidRequest, match="empty_input"):
        notes.upload([{"id": "1", "text": "good"}, {"id": "2", "text": " "}], on_error="raise")
    with pytest.raises(ValueError, match="row 0"):
        notes.upload([{"text": "no id"}], on_error="raise")


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"id": "key"}, "no column 'key', only id, text, lang, year"),
        ({"text": "body"}, "neither"),
        ({"batch": 0}, "1 to"),
    ],
)
def test_what_cannot_be_meant_is_said_before_anything_is_sent(
    options: Any, complaint: str, notes: Namespace, server: FakeServer
) -> None:
    with pytest.raises(ValueError, match=complaint):
        notes.upload(frame(), **options)
    assert server.requests == []


def test_requests_have_so_many_documents_and_bytes(notes: Namespace, server: FakeServer) -> None:
    notes.upload(ROWS, batch=4)
    assert len(server.requests) == 3
    server.requests.clear()
    notes.upload([{"id": str(number), "text": "x" * 32_000} for number in range(300)], batch=256)
    assert len(server.requests) == 2


def test_an_id_stands_once_in_a_request_and_later_rows_win(notes: Namespace, server: FakeServer) -> None:
    notes.upload([{"id": "1", "text": text} for text in ("first", "second", "third")], parallel=1)
    assert len(server.requests) == 3
    assert kept(notes) == [("1", "third", {})]


def test_no_more_rows_are_read_than_are_being_sent(notes: Namespace, server: FakeServer) -> None:
    read, most_ahead = 0, 0

    def rows() -> Iterator[dict[str, Any]]:
        nonlocal read, most_ahead
        for number in range(2000):
            read += 1
            most_ahead = max(most_ahead, read - 10 * len(server.requests))
            yield {"id": str(number), "text": "a"}

    assert notes.upload(rows(), batch=10, parallel=3).written == 2000
    assert most_ahead <= 10 * (3 + 1)


def test_progress_is_told(notes: Namespace) -> None:
    told: list[UploadProgress] = []
    notes.upload(ROWS, batch=2, progress=told.append)
    assert told[-1].rows == told[-1].total == told[-1].written == 10
    assert told[-1].eta_seconds == 0
    assert told[-1].rows_per_second > 0


def test_progress_can_be_shown(notes: Namespace, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    notes.upload(json_lines(tmp_path), progress=True)
    assert "10 of 10 documents" in capsys.readouterr().err


def test_overload_is_waited_out(server: FakeServer) -> None:
    server.refuse(429, "overloaded", times=3)
    with server.client(retries=0, deadline=1.0) as client:
        assert client.namespace("notes").upload(ROWS).written == 10


def test_a_load_that_fails_leaves_no_request_behind_that_waits(server: FakeServer) -> None:
    """Of two requests one is to come again after ten minutes, the other fails for good."""
    server.refuse(429, "overloaded", retry_after=600)
    server.refuse(404, "unknown_model")
    with server.client() as client, pytest.raises(NotFound):
        client.namespace("notes").upload(ROWS, batch=5, parallel=2)


class SlowBesideRefused:
    """Of two requests the second one is refused, and then the first one is done, in either order of coming."""

    def __init__(self, server: FakeServer) -> None:
        self._server, self._refused = server, Event()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if b"the note 0" not in request.content:
            self._refused.set()
            return httpx.Response(404, json={"error": {"code": "unknown_model", "message": "refused by the test"}})
        self._refused.wait(30)
        time.sleep(0.2)
        return self._server.answer(request)

    async def later(self, request: httpx.Request) -> httpx.Response:
        return await asyncio.to_thread(self, request)


def test_what_is_written_beside_a_request_that_fails_is_not_sent_again(
    server: FakeServer, notes: Namespace, tmp_path: Path
) -> None:
    checkpoint, answers = tmp_path / "load.ckpt", SlowBesideRefused(server)

    async def broken() -> None:
        async with server.async_client(transport=httpx.MockTransport(answers.later)) as client:
            await client.namespace("others").upload(ROWS, batch=5, parallel=2, checkpoint=tmp_path / "async.ckpt")

    with server.client(transport=httpx.MockTransport(answers)) as client, pytest.raises(NotFound):
        client.namespace("notes").upload(ROWS, batch=5, parallel=2, checkpoint=checkpoint)
    with pytest.raises(NotFound):
        asyncio.run(broken())
    assert notes.upload(ROWS, batch=5, parallel=2, checkpoint=checkpoint).resumed == 5
    with server.client() as client:
        others = client.namespace("others")
        assert others.upload(ROWS, batch=5, parallel=2, checkpoint=tmp_path / "async.ckpt").resumed == 5


def broken_off(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield from rows
    raise RuntimeError("killed")


def test_a_load_that_broke_off_goes_on(notes: Namespace, server: FakeServer, tmp_path: Path) -> None:
    checkpoint, rows = tmp_path / "load.ckpt", [{"id": "bad"}, *ROWS]
    with pytest.raises(RuntimeError, match="killed"):
        notes.upload(broken_off(rows[:7]), batch=2, parallel=1, checkpoint=checkpoint)
    assert len(kept(notes)) == 5
    with checkpoint.open("a") as file:
        file.write('{"rows": [[6')
    server.requests.clear()
    report = notes.upload(rows, batch=2, parallel=1, checkpoint=checkpoint)
    assert len(server.requests) == 3
    assert (report.rows, report.resumed, report.written, report.failed_count) == (11, 6, 5, 1)
    assert [(failed.row, failed.code) for failed in report.failed] == [(0, "missing_field")]
    assert kept(notes) == EXPECTED
    assert not checkpoint.exists()


def test_a_checkpoint_is_that_of_one_load(notes: Namespace, client: Client, tmp_path: Path) -> None:
    checkpoint = tmp_path / "load.ckpt"
    with pytest.raises(RuntimeError, match="killed"):
        notes.upload(broken_off(ROWS), batch=2, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="belongs to another load"):
        client.namespace("others").upload(ROWS, checkpoint=checkpoint)
    with pytest.raises(ValueError, match="belongs to another load"):
        notes.upload(json_lines(tmp_path), checkpoint=checkpoint)
    checkpoint.write_text("no checkpoint\n")
    with pytest.raises(ValueError, match="is no checkpoint"):
        notes.upload(ROWS, checkpoint=checkpoint)


def test_rows_may_be_done_in_any_order(tmp_path: Path) -> None:
    path = tmp_path / "load.ckpt"
    first = Checkpoint(path, {"namespace": "notes"})
    for rows in ([4, 5], [0, 1], [8, 6]):
        first.done(rows, ())
    first.close()
    again = Checkpoint(path, {"namespace": "notes"})
    assert [row for row in range(12) if again.is_done(row)] == [0, 1, 4, 5, 6, 8]
    again.done([2, 3], ())
    assert [row for row in range(12) if again.is_done(row)] == [0, 1, 2, 3, 4, 5, 6, 8]
    again.close()


def test_the_asynchronous_client_also_takes_an_async_iterable(server: FakeServer) -> None:
    async def rows() -> AsyncIterator[dict[str, Any]]:
        for row in ROWS:
            yield row

    async def run() -> None:
        async with server.async_client() as client:
            assert (await client.namespace("notes").upload(rows(), batch=3, parallel=2)).written == 10
            assert (await client.namespace("others").upload(ROWS)).written == 10

    asyncio.run(run())
    with server.client() as client:
        assert kept(client.namespace("notes")) == kept(client.namespace("others")) == EXPECTED
        with pytest.raises(TypeError, match="AsyncClient"):
            client.namespace("notes").upload(rows())
