"""Rows of a Django project, searched in a running service."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from articles.models import Article, Author
from articles.search_indexes import ArticleIndex
from django.conf import settings as project
from django.core.exceptions import ImproperlyConfigured
from django.core.management import CommandError, call_command
from django.db import transaction
from django.test import override_settings
from embsearch import F, Unreachable
from embsearch.django import register, sync
from embsearch.django.conf import client
from embsearch.django.syncing import _synced

DAY = date(2026, 1, 2)
NOBODY = "http://127.0.0.1:9"


def settings(**chosen: Any) -> override_settings:
    own = project.EMBSEARCH  # type: ignore[misc] # of the project of the page
    return override_settings(EMBSEARCH={**own, "WAIT": "searchable", **chosen})


@pytest.fixture(autouse=True)
def _rows() -> Iterator[None]:
    with settings(TIMEOUT=35, DEADLINE=60):
        Article.objects.all().delete()
        client().namespace("articles").clear()
        yield
        Article.objects.all().delete()
        Author.objects.all().delete()


def made(title: str, body: str, **fields: Any) -> Any:
    return Article.objects.create(title=title, body=body, **{"published": DAY, **fields})


def titles(rows: Any) -> list[str]:
    return [row.title for row in rows]


def kept() -> dict[str, str | None]:
    return {one.id: one.text for one in client().namespace("articles").scan()}


def test_saved_and_deleted_rows_are_followed() -> None:
    fox = made("Foxes", "Foxes live in dens.", author=Author.objects.create(name="Ann"))
    (stored,) = client().namespace("articles").scan()
    assert (stored.id, stored.text) == (f"articles.article:{fox.pk}", "Foxes\n\nFoxes live in dens.")
    assert stored.metadata == {"lang": "en", "published": "2026-01-02", "author__name": "Ann"}
    fox.body = "Foxes sleep."
    fox.save()
    assert kept() == {f"articles.article:{fox.pk}": "Foxes\n\nFoxes sleep."}
    fox.published = None
    fox.save()
    assert kept() == {}
    fox.published = DAY
    fox.save()
    fox.delete()
    assert kept() == {}


def test_a_queryset_keeps_the_order_of_the_hits_and_goes_together_with_filters() -> None:
    owl = made("Owls", "Owls hunt at night.", lang="de")
    fox = made("Foxes", "Foxes live in dens.", author=Author.objects.create(name="Ann"))
    other = made("Whales", "Whales sing in the sea.")
    found = Article.objects.semantic("where do foxes sleep?")
    assert found[0] == fox
    assert {row.pk for row in found} == {fox.pk, owl.pk, other.pk}
    scores = [row.score for row in found]
    assert scores == sorted(scores, reverse=True)
    assert titles(Article.objects.semantic("animals of the sea")[:1]) == ["Whales"]
    assert titles(Article.objects.filter(lang="en").semantic("night birds").exclude(title="Whales")) == ["Foxes"]
    assert titles(Article.objects.semantic("x", where=F.author__name == "Ann").select_related("author")) == ["Foxes"]
    assert titles(Article.objects.semantic("x", where=F.lang == "fr")) == []
    assert Article.objects.semantic("dens", top_k=2).count() == 2


def test_what_is_rolled_back_is_not_written() -> None:
    with transaction.atomic():
        made("Foxes", "Foxes live in dens.")
        transaction.set_rollback(True)
    with transaction.atomic():
        with transaction.atomic():
            made("Bats", "Bats sleep.")
            transaction.set_rollback(True)
        owl = made("Owls", "Owls hunt at night.")
        assert kept() == {}
    assert list(kept()) == [f"articles.article:{owl.pk}"]


def test_the_rows_of_a_transaction_go_together() -> None:
    with settings(WAIT="accepted"), transaction.atomic():
        rows = [made(f"Page {number}", f"Text {number}") for number in range(300)]
    assert len(kept()) == 300
    with transaction.atomic():
        Article.objects.filter(pk__in=[row.pk for row in rows[:290]]).delete()
    assert len(kept()) == 10


def test_the_service_is_away() -> None:
    with settings(URL=NOBODY, DEADLINE=0.2):
        with pytest.raises(Unreachable):
            made("Foxes", "Foxes live in dens.")
        with pytest.raises(Unreachable):
            Article.objects.semantic("foxes")
        with pytest.raises(CommandError, match="did not take it"):
            call_command("reindex")
    assert Article.objects.count() == 1
    assert kept() == {}


def test_the_service_is_away_and_it_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    with settings(URL=NOBODY, DEADLINE=0.2, ON_FAILURE="log"), caplog.at_level(logging.ERROR):
        fox = made("Foxes", "Foxes live in dens.")
    assert f"1 rows of articles.article are not in the index as they are: {fox.pk}" in caplog.text
    call_command("reindex")
    assert list(kept()) == [f"articles.article:{fox.pk}"]


def test_changes_are_handed_to_a_function() -> None:
    taken = Path("taken.jsonl")
    with settings(SEND="taking.take"):
        fox = made("Foxes", "Foxes live in dens.")
    assert json.loads(taken.read_text()) == ["articles.article", [str(fox.pk)]]
    assert kept() == {}
    assert sync("articles.article", [fox.pk]).written == 1


def test_reindex_writes_what_signals_do_not_tell_and_deletes_what_is_gone(capsys: pytest.CaptureFixture[str]) -> None:
    Article.objects.bulk_create([Article(title=f"{n}", body="text", published=DAY) for n in range(25)])
    Article.objects.bulk_create([Article(title="draft", body="text"), Article(title=" ", published=DAY)])
    call_command("reindex", "--batch", "10")
    assert capsys.readouterr().out == "25 written, 0 deleted, 0 refused\n"
    Article.objects.filter(title__in=["3", "4"])._raw_delete("default")
    Article.objects.filter(title="5").update(published=None)
    call_command("reindex", "articles.article")
    assert len(kept()) == 22
    with pytest.raises(CommandError, match="no search index"):
        call_command("reindex", "articles.author")


def test_a_row_that_is_too_long_is_refused_alone(capsys: pytest.CaptureFixture[str]) -> None:
    Article.objects.bulk_create([Article(title=title, body=body, published=DAY) for title, body in (
        ("long", "x" * 40_000), ("good", "Foxes live in dens."))])  # fmt: skip
    with pytest.raises(CommandError, match="some rows"):
        call_command("reindex")
    assert "text_too_long" in capsys.readouterr().err
    assert list(kept().values()) == ["good\n\nFoxes live in dens."]
    with pytest.raises(Exception, match="text_too_long"):
        made("long", "x" * 40_000)


def test_a_reindex_that_is_killed_goes_on(tmp_path: Path) -> None:
    Article.objects.bulk_create([Article(title=f"{n}", body="text", published=DAY) for n in range(200)])
    checkpoint = tmp_path / "reindex.json"
    command = [sys.executable, "manage.py", "reindex", "--batch", "5", "--checkpoint", str(checkpoint)]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        running.stderr.readline()
        running.stderr.readline()
        running.kill()
    reached = json.loads(checkpoint.read_text())["articles.article"]
    left = Article.objects.filter(pk__gt=reached).count()
    assert 0 < left < 200
    done = subprocess.run(command, capture_output=True, text=True, timeout=180)
    assert f"{left} written" in done.stdout, done.stderr
    assert len(kept()) == 200
    assert not checkpoint.exists()


def test_the_newest_state_of_a_row_wins() -> None:
    """Another process saves and writes the row between the look of `sync` at it and its write."""
    fox = made("Foxes", "Foxes live in dens.")
    seen: list[str] = []

    class Late(ArticleIndex):
        def text(self, row: Any) -> str:
            text = str(super().text(row))
            if not seen:
                Article.objects.filter(pk=row.pk).update(body="Foxes sleep.")
            seen.append(text)
            return text

    _synced(Late(Article), [fox.pk])
    assert list(kept().values()) == ["Foxes\n\nFoxes sleep."]


def test_what_cannot_be_meant_is_named() -> None:
    with pytest.raises(ImproperlyConfigured, match="has an index already"):
        register(Article)(ArticleIndex)
    with pytest.raises(ImproperlyConfigured, match="no search index"):
        sync("articles.Author", [1])
    with settings(ON_FAILURE="never"), pytest.raises(ImproperlyConfigured, match="raise, log"):
        made("Foxes", "Foxes live in dens.")
    with settings(TIMOUT=1), pytest.raises(ImproperlyConfigured, match="TIMOUT"):
        Article.objects.semantic("foxes")
