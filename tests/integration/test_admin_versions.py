"""Pages of model versions and runs: what they say before something is done, and what they offer."""

import html
import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from django.contrib.auth.models import User
from django.test import Client

from embeddings_app.models import AuditEvent, EmbeddingRecord, ModelRegistry, Namespace, ReembedChunk, ReembedRun
from embeddings_app.records.measurements import Measured, add_measurement
from embeddings_app.services.documents.upserting import upsert
from embeddings_app.services.model_versions.switching import switch
from embeddings_app.services.reembedding import runs
from tests.integration.indexing_steps import document, embed, failing, index, request, rows
from tests.integration.reembedding_steps import (
    ACTOR,
    UNMEASURED,
    Versions,
    forget_model,
    new_model,
    next_chunks,
    start,
    work,
)

MEASURED = Measured(queries=50, searches=50, synthetic=0, small=0, recall=0.99, overlap=0.9, slowdown=1.0)
APP = "/admin/embeddings_app/"


@pytest.fixture
def versions(database: str) -> Iterator[Versions]:
    found = new_model()
    yield found
    forget_model(found[0])


@pytest.fixture
def admin(database: str) -> Iterator[Client]:
    user = User.objects.create(username="pages", is_staff=True, is_superuser=True)
    client = Client(SERVER_NAME="localhost")
    client.force_login(user)
    yield client
    user.delete()


def write(version: ModelRegistry, *texts: str, namespace: str = "pages") -> None:
    upsert(request(*(document(text, text) for text in texts), namespace=namespace, model_id=version.model_id))
    index()


def words(client: Client, path: str) -> str:
    """The page as it is read: without tags, with single spaces."""
    response = client.get(APP + path)
    assert response.status_code == 200
    body = re.sub(r"<(script|style).*?</\1>", " ", response.content.decode(), flags=re.DOTALL)
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", body)).split())


def offered(client: Client, path: str) -> set[str]:
    """The actions that the page links to."""
    page = client.get(f"{APP}{path}/change/").content.decode()
    return set(re.findall(rf'href="{APP}{path}/([a-z-]+)/"', page)) - {"change", "history", "delete"}


def said(client: Client, path: str, **values: str) -> str:
    """Send the form of an action; what the next page says."""
    response = client.post(APP + path, values, follow=True)
    assert response.status_code == 200
    shown = re.findall(r'<li class="\*:mb-0!">\s*<div[^>]*>(.*?)</div>', response.content.decode(), re.DOTALL)
    return html.unescape(" | ".join(" ".join(message.split()) for message in shown))


def test_a_version_offers_what_is_legal_in_its_state(admin: Client, versions: Versions) -> None:
    first, second = versions
    pages = {version: f"modelregistry/{version.pk}" for version in versions}
    assert offered(admin, pages[second]) == {"probe", "fill", "switch", "retire"}
    write(first, "a")
    assert offered(admin, pages[second]) == {"probe", "fill", "retire"}
    assert offered(admin, pages[first]) == {"probe"}
    run = start(second)
    assert offered(admin, pages[second]) == {"probe", "cancel"}
    work(run)
    assert offered(admin, pages[second]) == {"probe", "switch", "retire"}
    switch(second, ACTOR, reason=UNMEASURED, override=True)
    assert offered(admin, pages[first]) == {"probe", "roll-back", "retire"}


def test_an_illegal_step_shows_what_is_possible_instead(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    path = f"modelregistry/{second.pk}/switch/"
    page = words(admin, path)
    assert f"{second} is probed and cannot be made active: start a re-embedding of it" in page
    assert 'name="sent"' not in admin.get(APP + path).content.decode()
    assert "start a re-embedding of it" in said(admin, path)
    second.refresh_from_db()
    assert second.status == "probed"


def test_a_start_shows_its_estimate_and_leads_to_the_run(admin: Client, versions: Versions) -> None:
    first, second = versions
    Namespace.objects.create(name="unkept", model_id=first.model_id, store_text=False)
    write(first, "secret", namespace="unkept")
    write(first, "a")
    page = words(admin, f"modelregistry/{second.pk}/fill/")
    assert "Documents 2 Tokens about " in page
    assert "In the cache already 0% of the texts" in page
    assert "Texts not kept 50% of the documents" in page
    assert f"{first} goes on answering" in page
    assert "Enter a number" in words_of_post(admin, f"modelregistry/{second.pk}/fill/", documents_per_second="fast")
    answer = said(admin, f"modelregistry/{second.pk}/fill/", documents_per_second="7.5")
    run = ReembedRun.objects.get(model_version=second)
    assert answer == f"Run {run.pk} fills {second}"
    assert (run.documents_per_second, run.started_by) == (7.5, "admin:pages")


def words_of_post(client: Client, path: str, **values: str) -> str:
    return client.post(APP + path, values).content.decode()


def test_a_start_that_must_not_be_says_why_before_it_is_tried(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    run = start(second)
    runs.cancel(run, ACTOR)
    assert f"Not now: what {second} held before is still being removed" in words(
        admin, f"modelregistry/{second.pk}/fill/"
    )


def test_a_model_is_not_filled_twice_at_a_time(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    third = ModelRegistry.objects.create(
        model_id=first.model_id, version=3, type="transformers", artifact="hashing", dimension=8, status="probed"
    )
    run = start(second)
    assert f"Not now: {run} is running: wait until it has finished, or cancel it." in words(
        admin, f"modelregistry/{third.pk}/fill/"
    )
    assert "is open already" in said(admin, f"modelregistry/{third.pk}/fill/")


def test_a_switch_says_what_stops_answering_and_a_way_back_is_kept(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b")
    work(start(second))
    page = words(admin, f"modelregistry/{second.pk}/switch/")
    assert f"{first} stops answering and is kept" in page
    assert "Vectors 2 of 2 documents" in page
    assert "Copies ready on nodes 0 of 4" in page
    assert "Not every node has it ready" in page
    assert "must send 16 dimensions then, and no longer 8" in page
    assert re.search(rf"Cost of keeping {first} \d+\.?\d* KiB in Postgres", page)
    assert f"Against it: {second} was not measured beside {first} yet." in page
    add_measurement(second.pk, first.pk, MEASURED)
    assert "Gate passed recall@10 0.9900" in words(admin, f"modelregistry/{second.pk}/switch/")
    answer = said(admin, f"modelregistry/{second.pk}/switch/", reason="better")
    assert answer == f"{second} answers now; {first} is kept"
    assert f"Roll back to {first}" in words(admin, f"modelregistry/{first.pk}/roll-back/")
    assert f"{first} answers now" in said(admin, f"modelregistry/{first.pk}/roll-back/", reason="worse")
    reasons = AuditEvent.objects.filter(actor="admin:pages", action="model.active").values_list("detail__reason")
    assert set(reasons) == {("better",), ("worse",)}


def test_the_gate_is_overridden_only_with_a_reason(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    work(start(second))
    path = f"modelregistry/{second.pk}/switch/"
    add_measurement(second.pk, first.pk, replace(MEASURED, recall=0.5))
    page = words(admin, path)
    assert "Gate not passed recall@10 0.5000" in page
    assert "Against it: searches find 0.500 of the ten nearest documents; 0.95 are asked for." in page
    assert "There are no judgements of people" in page
    assert "Gate: not passed." in words(admin, f"modelregistry/{second.pk}/change/")
    for values in ({}, {"reason": "x"}, {"override": "on"}):
        assert "This field is required." in admin.post(APP + path, values).content.decode()
    second.refresh_from_db()
    assert second.status == "shadow"
    assert "answers now" in said(admin, path, override="on", reason="a known loss")
    event = AuditEvent.objects.filter(action="model.active").latest("id")
    assert (event.actor, event.detail["reason"]) == ("admin:pages", "a known loss")
    assert "searches find 0.500" in event.detail["overridden"][0]


def test_a_retirement_says_what_is_freed(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b")
    work(start(second))
    switch(second, ACTOR, reason=UNMEASURED, override=True)
    page = words(admin, f"modelregistry/{first.pk}/retire/")
    assert "Vectors 2 Freed in Postgres" in page
    assert "Afterwards there is no version to roll back to." in page
    assert said(admin, f"modelregistry/{first.pk}/retire/") == f"{first} is retiring"


def test_the_list_and_the_page_of_a_version_show_what_it_holds(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b", "c")
    chunks = next_chunks(start(second))
    assert chunks
    listed = words(admin, f"modelregistry/?q={first.model_id}")
    assert re.search(rf"{first.model_id} 1 transformers 8 active 3 of 3", listed)
    assert re.search(rf"{first.model_id} 2 transformers 16 backfilling 0 of 3", listed)
    page = words(admin, f"modelregistry/{second.pk}/change/")
    assert "Vectors of documents 0 of 3 Pending 0 Quarantined 0 Copies ready 0 of 4" in page
    assert "Texts / s" in page
    assert "Searches / s" in page
    assert "wait until its run has finished, or cancel the run" in page


def test_the_page_of_a_node_copy_says_whether_it_is_ready(admin: Client, versions: Versions) -> None:
    first, _ = versions
    rows(
        """
        INSERT INTO shard_replica (layout_id, model_version_id, shard, replica, epoch, applied_seq, state, digest,
                                   documents, graph_documents, heartbeat)
        SELECT l.id, %s, 1, 0, e.epoch, 0, 'ready', 0, 1000, 40, now() FROM layout l, log_epoch e RETURNING id
        """,
        first.pk,
    )
    page = words(admin, f"modelregistry/{first.pk}/change/")
    assert "Copies ready 1 of 4" in page
    assert "shard 1 replica 0 ready 0 1,000 40" in page
    assert "Memory of nodes about 324 KiB" in page


def test_a_run_is_paused_resumed_and_cancelled_with_a_reason(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b")
    run = start(second)
    path = f"reembedrun/{run.pk}"
    assert offered(admin, path) == {"pause", "cancel"}
    assert said(admin, f"{path}/pause/") == f"Run {run.pk} is paused"
    assert offered(admin, path) == {"resume", "cancel"}
    assert f"Not now: {run} is paused" in words(admin, f"{path}/pause/")
    assert "is paused and cannot be paused" in said(admin, f"{path}/pause/")
    assert said(admin, f"{path}/resume/") == f"Run {run.pk} goes on"
    assert "Done so far 0% of 2 documents" in words(admin, f"{path}/cancel/")
    assert said(admin, f"{path}/cancel/", reason="a mistake") == f"Run {run.pk} is cancelled"
    assert offered(admin, path) == set()
    assert AuditEvent.objects.filter(action="reembed.cancelled").latest("id").detail == {"reason": "a mistake"}


def test_the_numbers_of_a_run_follow_its_chunks(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, "a", "b", "c", "d")
    run = start(second)
    numbers = admin.get(f"{APP}reembedrun/{run.pk}/progress.json").json()
    assert (numbers["percent"], numbers["tiles"]["left"]["text"]) == (0, "not known yet")
    (chunk,) = next_chunks(run)
    ReembedChunk.objects.filter(pk=chunk).update(embedded=1, cached=1, refused=1)
    ReembedRun.objects.filter(pk=run.pk).update(problem="embedder_unavailable")
    numbers = admin.get(f"{APP}reembedrun/{run.pk}/progress.json").json()
    assert (numbers["percent"], numbers["tiles"]["done"]["text"]) == (50, "2 of 4")
    assert numbers["problem"].startswith("embedder_unavailable: ")
    assert sum(numbers["bars"]["per_second"]) * numbers["bars"]["seconds"] == pytest.approx(1, rel=0.2)
    assert re.fullmatch(r"about \d+ s|under 1 s", numbers["tiles"]["left"]["text"])
    assert "50% of 4" in words(admin, "reembedrun/")


def test_numbers_of_a_run_are_for_those_who_may_see_it(admin: Client, versions: Versions) -> None:
    run = start(versions[1])
    path = f"{APP}reembedrun/{run.pk}/progress.json"
    assert Client(SERVER_NAME="localhost").get(path).status_code == 403
    stranger = User.objects.create(username="stranger", is_staff=True)
    client = Client(SERVER_NAME="localhost")
    client.force_login(stranger)
    assert client.get(path).status_code == 403
    assert admin.get(f"{APP}reembedrun/0/progress.json").status_code == 404
    stranger.delete()


def test_failed_texts_are_listed_in_pages_and_tried_again(admin: Client, versions: Versions) -> None:
    first, second = versions
    write(first, *(f"text/{number:03}" for number in range(60)))
    run = start(second)
    work(run, lambda _, texts: failing("model_error", len(texts)))
    EmbeddingRecord.objects.filter(model_version=second).update(state="quarantined", last_error="model_error")
    path = f"reembedrun/{run.pk}"
    page = admin.get(f"{APP}{path}/change/").content.decode()
    assert ("text/049" in page, "text/050" in page) == (True, False)
    following = re.search(r'href="(\?failed_after=\d+)"', page)
    assert following
    beyond = admin.get(f"{APP}{path}/change/{following.group(1)}").content.decode()
    assert ("text/049" in beyond, "text/050" in beyond, "text/059" in beyond) == (False, True, True)
    record = EmbeddingRecord.objects.filter(model_version=second, document__doc_id="text/050").get()
    assert said(admin, f"{path}/retry/", record=str(record.pk)) == "Tried again: 1 text"
    assert "Failed texts 59" in words(admin, f"{path}/retry/")
    assert said(admin, f"{path}/retry/") == "Tried again: 59 texts"
    index(embed)
    assert "retry" not in offered(admin, path)


def test_pages_of_rows_that_are_gone_do_not_break(admin: Client) -> None:
    for path in ("modelregistry/0/switch/", "reembedrun/0/pause/", "modelregistry/nonsense/probe/"):
        assert admin.get(APP + path).status_code == 404
    for path in ("modelregistry/0/change/", "reembedrun/nonsense/change/"):
        assert admin.get(APP + path).status_code == 302
