"""Documents moved from other stores: from Qdrant and Chroma in environments of their own, and from a Postgres with
pgvector."""

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from embsearch import Client
from embsearch.cli.console import Console
from embsearch.cli.program import main
from embsearch.migrate.carrying import LeftOut
from embsearch.migrate.moving import Wanted
from embsearch.migrate.pgvector import pgvector_rows
from embsearch.upload.checkpoint import Checkpoint
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.acceptance.own_environment import python_with
from tests.acceptance.suites import passed
from tests.acceptance.wheel_postgres import wheel_postgres
from tests.conftest import Service

SUITE = Path(__file__).parent / "migrate_suite"
QDRANT = ("qdrant-client==1.20.0",)
CHROMA = (
    "--no-deps", "chromadb==1.5.9", "grpcio==1.85.3", "opentelemetry-exporter-otlp-proto-grpc==1.45.2",
    "overrides==7.7.0", "pybase64==1.5.1", "pydantic-settings==2.16.3", "python-dotenv==1.2.4",
)  # fmt: skip
"""Without its server and its own model, which are most of what it would install."""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "least", "packages"),
    [("from_qdrant", 4, QDRANT), ("from_chroma", 3, CHROMA)],
    ids=["qdrant", "chroma"],
)
def test_collections_of_other_stores_are_moved(
    file: str, least: int, packages: tuple[str, ...], service: Service, external_model: str
) -> None:
    environ = {"SERVICE_URL": service.url, "EXTERNAL_MODEL": external_model}
    assert passed(python_with(*packages), SUITE, file, environ) >= least


@pytest.fixture(scope="module")
def table() -> Iterator[str]:
    """The address of a database with a table of another application."""
    with wheel_postgres() as address:
        yield _with_table(address)


def _with_table(address: str) -> str:
    with psycopg.connect(address) as connection:
        connection.execute("CREATE EXTENSION vector")
        connection.execute("CREATE SCHEMA shop")
        connection.execute(
            "CREATE TABLE shop.articles (key bigint PRIMARY KEY, body text, embedding vector(8), old vector(2),"
            " numbers real[], info jsonb, price numeric, day date, raw bytea)"
        )
        connection.execute(
            "INSERT INTO shop.articles SELECT n, 'page ' || n, array_fill(1::real, ARRAY[8])::vector, '[1,2]',"
            """ array_fill(2::real, ARRAY[8]), '{"lang": "en", "author": {"name": "Ann"}}', 1.5, '2026-01-02', 'x'"""
            " FROM generate_series(1, 300) n"
        )
        connection.execute("UPDATE shop.articles SET body = NULL WHERE key = 7")
    return address


def migrate(service: Service, *words: str) -> tuple[int, dict[str, Any], str]:
    out, err = io.StringIO(), io.StringIO()
    console = Console(out=out, err=err, stdin=io.StringIO())
    code = main(["migrate", "pgvector", *words, "--url", service.url, "--json"], console)
    return code, json.loads(out.getvalue() or "{}"), err.getvalue()


def test_the_rows_of_a_table_are_moved(table: str, service: Service) -> None:
    words = (table, "shop.articles", "-n", "from-pgvector", "--id", "key", "--text", "body")
    code, report, said = migrate(service, *words)
    assert (code, report["written"], report["failed"][0]["id"]) == (4, 299, "7")
    with Client(service.url) as client:
        (one,) = client.namespace("from-pgvector").get(["300"])
    assert one.text == "page 300"
    info = {"lang": "en", "author": {"name": "Ann"}}
    assert one.metadata == {"info": info, "price": 1.5, "day": "2026-01-02", "numbers": [2.0] * 8}
    assert "300 x raw: a value of type bytes" in said
    assert "old: a document has one vector" in said


@pytest.mark.parametrize("column", ["embedding", "numbers"])
def test_vectors_and_arrays_are_taken_along(column: str, table: str, service: Service, external_model: str) -> None:
    words = (table, "shop.articles", "-n", f"from-pgvector-{column}", "--id", "key", "--text", "body")
    code, report, _ = migrate(service, *words, "--vectors", "--vector", column, "--model", external_model)
    assert (code, report["written"]) == (0, 300)
    with Client(service.url) as client:
        (one,) = client.namespace(f"from-pgvector-{column}").get(["7"], include=["vector"])
    assert one.vector == pytest.approx([8**-0.5] * 8)


def test_rows_without_an_id_or_a_whole_vector_are_named(table: str, service: Service, external_model: str) -> None:
    with psycopg.connect(table) as connection:
        connection.execute("CREATE TABLE odd (id bigint, body text, embedding real[], thin sparsevec(8))")
        connection.execute(
            "INSERT INTO odd SELECT n, 'page ' || n, array_fill(1::real, ARRAY[8]), '{1:1}/8'"
            " FROM generate_series(1, 300) n"
        )
        connection.execute("INSERT INTO odd SELECT NULL, 'nameless', '{1,2}' FROM generate_series(1, 300)")
        connection.execute("UPDATE odd SET embedding = '{1,NULL,1,1,1,1,1,1}' WHERE id = 3")
        connection.execute("UPDATE odd SET embedding = '{1,NaN,1,1,1,1,1,1}' WHERE id = 4")
    words = (table, "odd", "-n", "from-pgvector-odd", "--text", "body", "--vectors", "--model", external_model)
    code, report, said = migrate(service, *words)
    assert (code, report["written"], [one["id"] for one in report["failed"]]) == (4, 298, ["3", "4"])
    assert "2 x embedding: no list of finite numbers" in said
    assert "300 x id: a row without an id" in said
    code, _, said = migrate(service, *words, "--vector", "thin")
    assert (code, "'thin' are sparse" in said) == (2, True)


def test_a_checkpoint_is_of_one_database_and_one_text(table: str, tmp_path: Path) -> None:
    with psycopg.connect(table, autocommit=True) as connection:
        connection.execute("CREATE DATABASE another")
    another = make_conninfo(table, dbname="another")
    for place in (table, another):
        with psycopg.connect(place) as connection:
            connection.execute("CREATE TABLE shelf (id bigint, body text, title text)")

    def load(place: str, text: str) -> dict[str, Any]:
        return dict(pgvector_rows(place, "shelf", Wanted(text=text, left_out=LeftOut())).identity or {})

    checkpoint = tmp_path / "move.ckpt"
    Checkpoint(checkpoint, load(table, "body")).close()
    Checkpoint(checkpoint, load(table, "body")).close()
    for other in (load(another, "body"), load(table, "title")):
        with pytest.raises(ValueError, match="belongs to another load"):
            Checkpoint(checkpoint, other)
    password = conninfo_to_dict(table)["password"]
    assert str(password) not in checkpoint.read_text()


def test_a_column_that_is_not_there_is_named(table: str, service: Service) -> None:
    code, _, said = migrate(service, table, "shop.articles", "--text", "body")
    assert code == 2
    assert "no column 'id', only key, body" in said
