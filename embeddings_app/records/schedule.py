"""The tables of django-celery-beat: what beat sends, and how often. The rows of beat are changed here only."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask, PeriodicTasks

from embeddings_app.records.sql import execute


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message that beat sends again and again."""

    name: str
    task: str
    description: str
    every_seconds: int
    """Of a new row only."""


def keep_entries(entries: Collection[Entry]) -> None:
    """Make the rows those of `entries`: new ones come in, others go. Interval and switch of a row that is there stay
    as they are, because an operator may have set them. In the caller's transaction."""
    execute("LOCK TABLE django_celery_beat_periodictask IN SHARE ROW EXCLUSIVE MODE")
    gone, _ = PeriodicTask.objects.exclude(name__in=[entry.name for entry in entries]).delete()
    changed = gone + sum(_keep(entry) for entry in entries)
    if changed:
        PeriodicTasks.update_changed()


def _keep(entry: Entry) -> int:
    said: dict[str, Any] = {"task": entry.task, "description": entry.description}
    found = PeriodicTask.objects.filter(name=entry.name).select_related("interval").first()
    if found is None:
        PeriodicTask.objects.create(name=entry.name, **said, **_interval(entry.every_seconds))
        return 1
    said |= _interval(seconds_of(found) or entry.every_seconds)
    if all(getattr(found, name) == value for name, value in said.items()):
        return 0
    return int(PeriodicTask.objects.filter(pk=found.pk).update(**said))


def set_entry(name: str, every_seconds: int, *, enabled: bool) -> None:
    """Change the interval and the switch; beat reads it within a second or two. In the caller's transaction."""
    PeriodicTask.objects.filter(name=name).update(enabled=enabled, **_interval(every_seconds))
    IntervalSchedule.objects.filter(periodictask=None).delete()
    PeriodicTasks.update_changed()


def note_sent(key: int, sent_at: datetime, total: int) -> None:
    """Write down when beat sent an entry last, and how often it did, and nothing else: the rest may have changed."""
    PeriodicTask.objects.filter(pk=key).update(last_run_at=sent_at, total_run_count=total)


def seconds_of(entry: PeriodicTask) -> int:
    """The interval of an entry; 0 when it has none in seconds."""
    interval = entry.interval
    return int(interval.every) if interval and interval.period == IntervalSchedule.SECONDS else 0


def seconds_to_next(entry: PeriodicTask) -> float | None:
    """Until beat sends the entry next, 0 when it is due; None while it is switched off."""
    if not entry.enabled:
        return None
    last: datetime = entry.last_run_at or entry.date_changed
    return max(0.0, seconds_of(entry) - (timezone.now() - last).total_seconds())


def _interval(seconds: int) -> dict[str, Any]:
    found = IntervalSchedule.objects.filter(every=seconds, period=IntervalSchedule.SECONDS).first()
    interval = found or IntervalSchedule.objects.create(every=seconds, period=IntervalSchedule.SECONDS)
    # A message that nobody took until the next one comes has nothing to add.
    return {"interval": interval, "expire_seconds": seconds}
