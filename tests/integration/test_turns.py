"""Namespaces take turns: a few documents of one do not wait for the backlog of another, by the order of claims."""

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from django.db import connection, transaction

from embeddings_app.models import Namespace
from embeddings_app.records import claims
from embeddings_app.records.claims import Claim, Turn, claim_pending, last_turn
from embeddings_app.services.documents.upserting import upsert
from tests.integration.indexing_steps import document, in_thread, request, rows

pytestmark = pytest.mark.usefixtures("database")
BATCH = 32


def write(namespace: str, count: int, first: int = 0) -> None:
    for start in range(first, first + count, 256):
        numbers = range(start, min(start + 256, first + count))
        upsert(request(*(document(f"d{n:04}", f"{namespace} {n}") for n in numbers), namespace=namespace))


def taken(limit: int = BATCH, after: Turn | None = None) -> Iterator[list[Claim]]:
    """Claims of one process, each behind the one before, until nothing is due."""
    turn = after or Turn()
    while batch := claim_pending(limit, 30.0, turn):
        turn = last_turn(batch, turn)
        yield batch


def counts(batch: Sequence[Claim]) -> dict[str, int]:
    """Namespace -> records of it in the batch."""
    names = dict(Namespace.objects.values_list("pk", "name"))
    found = [names[claim.namespace_key] for claim in batch]
    return {name: found.count(name) for name in sorted(set(found))}


def test_a_few_documents_of_another_namespace_are_in_the_next_batch_beside_a_backlog() -> None:
    write("large", 2_000)
    batches = taken()
    assert counts(next(batches)) == {"large": BATCH}
    write("small", 3)
    assert counts(next(batches)) == {"large": BATCH - 3, "small": 3}


def test_two_backlogs_share_every_batch_and_each_goes_by_age() -> None:
    write("first", 100)
    write("second", 40)
    texts: dict[str, list[str]] = {"first": [], "second": []}
    for batch in taken():
        for claim in sorted(batch, key=lambda claim: claim.record_key):
            name, _, number = claim.text.partition(" ")
            texts[name].append(number)
        if len(texts["second"]) < 40:
            assert counts(batch) == {"first": BATCH // 2, "second": BATCH // 2}
    assert texts == {"first": [str(n) for n in range(100)], "second": [str(n) for n in range(40)]}


def test_no_document_waits_for_more_claims_than_the_namespaces_fill() -> None:
    """With 70 namespaces of which one has a backlog, everybody is served within three claims of 32."""
    write("backlog", 1_000)
    for number in range(69):
        write(f"n{number:02}", 3)
    batches = taken()
    served: Counter[str] = Counter()
    for _ in range(3):
        served.update(counts(next(batches)))
    assert len(served) == 70
    for _ in range(6):
        served.update(counts(next(batches)))
    assert {served[f"n{number:02}"] for number in range(69)} == {3}
    assert counts(next(batches)) == {"backlog": BATCH}


def test_a_backlog_goes_on_beside_namespaces_that_are_never_empty() -> None:
    write("backlog", 200)
    for number in range(40):
        write(f"busy{number:02}", 10)
    served = [counts(batch).get("backlog", 0) for batch, _ in zip(taken(), range(10), strict=False)]
    assert sum(served) >= 5


def test_processes_that_claim_at_the_same_time_take_different_records() -> None:
    write("large", 200)
    write("small", 3)
    with transaction.atomic():
        first = claim_pending(BATCH, 30.0, Turn())
        with ThreadPoolExecutor(1) as pool:
            # The first has not committed: its records are locked, and not leased in the eyes of the second.
            second = pool.submit(in_thread, claim_pending, BATCH, 30.0, Turn()).result()
    assert counts(first) == {"large": BATCH - 3, "small": 3}
    assert counts(second) == {"large": BATCH - 3}
    assert not {claim.record_key for claim in first} & {claim.record_key for claim in second}


def test_what_is_tried_again_waits_behind_the_others_of_its_namespace() -> None:
    write("large", 100)
    write("small", 1)
    failed = claim_pending(BATCH, 30.0, Turn())
    claims.release(failed, 0.0, "not answered")
    seen = [claim.record_key for batch in taken() for claim in batch]
    place = {claim.record_key: seen.index(claim.record_key) for claim in failed}
    again = [place[claim.record_key] for claim in failed if claim.text.startswith("large")]
    assert min(again) >= len(seen) - len(failed)
    assert next(place[claim.record_key] for claim in failed if claim.text.startswith("small")) < BATCH


def test_a_record_that_must_wait_costs_its_namespace_no_turn_and_others_neither() -> None:
    write("waits", 40)
    claims.release(claim_pending(40, 30.0, Turn()), 60.0, "not answered")
    write("goes", 40)
    assert [counts(batch) for batch in taken()] == [{"goes": BATCH}, {"goes": 8}]


@pytest.mark.parametrize("resting", [(), (2**40,), (2**40, 2**41)])
def test_a_claim_finds_the_few_where_statistics_know_only_the_backlog(resting: tuple[int, ...]) -> None:
    """Else Postgres looks for the few among all that wait, record by record."""
    write("backlog", 3_000)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE embedding_record")
    write("small", 3)
    statement, parameters = claims.claim_statement(BATCH, 30.0, Turn(), resting)
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN {statement}", parameters)
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "record_turns" in plan
    assert "record_pending" not in plan
    assert "Seq Scan on embedding_record" not in plan


def test_records_with_a_limit_of_their_own_hold_up_nobody() -> None:
    write("suspect", 8)
    write("large", 100)
    claims.release(claim_pending(8, 30.0, Turn(0, 0))[:4], 0.0, "an embedder died", batch_limit=2)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_record SET lease_until = NULL")
    batches = list(taken())
    assert sum(len(batch) for batch in batches) == 108
    assert all(
        len(batch) <= batch[0].batch_limit and len({claim.batch_limit for claim in batch}) == 1 for batch in batches
    )
    assert set(counts(batches[0])) | set(counts(batches[1])) == {"large", "suspect"}


def test_records_of_the_release_before_have_one_turn_among_the_others() -> None:
    write("old", 100)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE embedding_record SET namespace_id = 0")
    write("new", 100)
    old, new = (one for (one,) in rows("SELECT DISTINCT namespace_id FROM embedding_record ORDER BY 1"))
    batch = claim_pending(BATCH, 30.0, Turn())
    assert [[claim.namespace_key for claim in batch].count(key) for key in (old, new)] == [16, 16]


def test_what_another_transaction_holds_is_not_due_until_that_ends(database: str) -> None:
    write("held", 1)
    with psycopg.connect(database) as other:
        other.execute("SELECT 1 FROM embedding_record FOR UPDATE")
        assert claim_pending(BATCH, 30.0, Turn()) == []
        assert not claims.any_due()
        assert not claims.any_due([2**31])
    assert claims.any_due()
    assert claims.any_due([2**31])


def test_what_another_transaction_holds_keeps_nothing_else_from_its_turn(database: str) -> None:
    """Such as what may not share its batch: the look for more finds it, and would ask for turn after turn."""
    write("held", 1)
    claims.release(claim_pending(BATCH, 30.0, Turn()), 0.0, "an embedder died with this batch", batch_limit=1)
    write("held", 3)
    held = "SELECT 1 FROM embedding_record WHERE id = (SELECT min(id) FROM embedding_record) FOR UPDATE"
    with psycopg.connect(database) as other:
        other.execute(held)
        assert claims.any_due()
        assert [counts(batch) for batch in taken()] == [{"held": 2}]
        assert not claims.any_due()
