"""manage.py reindex: write all rows into the index, and delete what has no row any more."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import router

from embsearch.django.index import SearchIndex, indexes
from embsearch.django.syncing import Synced, sync
from embsearch.errors import EmbsearchError, NotFound
from embsearch.splitting import by_number

_BATCH = 200
_SHOWN_REFUSALS = 10


class Command(BaseCommand):
    help = "Write the rows of indexed models into the index, and delete documents whose row is gone."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("models", nargs="*", metavar="app.Model", help="only these; else all that have an index")
        parser.add_argument("--batch", type=int, default=_BATCH, help=f"rows in one request; {_BATCH} unless given")
        parser.add_argument("--checkpoint", metavar="FILE", help="keep there how far it came, and go on from there")
        parser.add_argument("--no-prune", action="store_true", help="leave documents whose row is gone")

    def handle(self, *_: Any, **options: Any) -> None:
        """One that was killed goes on from its checkpoint; without one it starts over, which writes nothing twice."""
        if options["batch"] < 1:
            raise CommandError("--batch must be 1 or more")
        chosen = _chosen(options["models"])
        checkpoint = _Checkpoint(options["checkpoint"])
        done = Synced()
        try:
            for index in chosen:
                done += self._load(index, options["batch"], checkpoint)
                if not options["no_prune"]:
                    done += _pruned(index)
        except EmbsearchError as error:
            raise CommandError(f"the service did not take it: {error}") from error
        checkpoint.finish()
        for doc_id, refusal in done.refused[:_SHOWN_REFUSALS]:
            self.stderr.write(f"{doc_id}: {refusal}")
        self.stdout.write(f"{done.written} written, {done.deleted} deleted, {len(done.refused)} refused")
        if done.refused:
            raise CommandError("some rows are not in the index")

    def _load(self, index: SearchIndex, batch: int, checkpoint: "_Checkpoint") -> Synced:
        done = Synced()
        for keys in _batches(index, batch, checkpoint.after(index.label)):
            done += sync(index.label, keys)
            checkpoint.reached(index.label, str(keys[-1]))
            self.stderr.write(f"{index.label}: {done.written} written, up to {keys[-1]}")
        return done


def _chosen(labels: list[str]) -> list[SearchIndex]:
    known = {index.label: index for index in indexes()}
    if unknown := [label for label in labels if label.lower() not in known]:
        raise CommandError(f"{unknown[0]} has no search index; there are {', '.join(known) or 'none'}")
    return [known[label.lower()] for label in labels] if labels else list(known.values())


def _batches(index: SearchIndex, batch: int, after: str | None) -> Iterator[list[Any]]:
    """Primary keys in their order. Rows that come behind the newest one meanwhile are taken too."""
    rows = index.queryset().using(router.db_for_write(index.model)).order_by("pk")
    last = None if after is None else index.model._meta.pk.to_python(after)
    while True:
        further = rows if last is None else rows.filter(pk__gt=last)
        keys = list(further.values_list("pk", flat=True)[:batch])
        if not keys:
            return
        yield keys
        last = keys[-1]


def _pruned(index: SearchIndex) -> Synced:
    """Documents of rows that are gone: their deletes were not heard of, or no signal told of them."""
    done = Synced()
    ours = (one.id.removeprefix(index.prefix) for one in _listed(index) if one.id.startswith(index.prefix))
    rows = index.queryset().using(router.db_for_write(index.model))
    for keys in by_number(ours):
        there = {str(pk) for pk in rows.filter(pk__in=keys).values_list("pk", flat=True)}
        if gone := [key for key in keys if key not in there]:
            done += sync(index.label, gone)
    return done


def _listed(index: SearchIndex) -> Iterator[Any]:
    try:
        yield from index.space().scan(include=())
    except NotFound:  # nothing was ever written there
        return


class _Checkpoint:
    """How far each model is, in a file that goes when all are done."""

    def __init__(self, path: str | None) -> None:
        self._path = None if path is None else Path(path)
        self._done: dict[str, str] = {}
        if self._path is not None and self._path.exists():
            try:
                self._done = json.loads(self._path.read_text(encoding="utf-8"))
            except (ValueError, RecursionError) as error:
                raise CommandError(f"{self._path} is no checkpoint: {error}") from error
            if not isinstance(self._done, dict):
                raise CommandError(f"{self._path} is no checkpoint: it holds no object")

    def after(self, label: str) -> str | None:
        return self._done.get(label)

    def reached(self, label: str, key: str) -> None:
        self._done[label] = key
        if self._path is not None:
            # A file that was cut off would be no checkpoint, so it is replaced whole.
            written = self._path.with_name(self._path.name + ".new")
            written.write_text(json.dumps(self._done), encoding="utf-8")
            written.replace(self._path)

    def finish(self) -> None:
        if self._path is not None:
            self._path.unlink(missing_ok=True)
