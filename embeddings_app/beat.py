"""The scheduler of Celery beat: sends what the schedule in Postgres says, as long as this beat holds the lease.

Any number of beats may run. A beat that stands by reads no schedule. When it takes over, it reads the schedule with the
times at which the other one sent.
"""

import logging
import secrets
from typing import Any

from django.db import Error as DatabaseError
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from embeddings_app.records.schedule import note_sent
from embeddings_app.services.jobs.beat_lease import STANDBY_SECONDS, BeatLease, PostgresBook
from embeddings_app.services.jobs.running import holder_name
from embeddings_app.services.jobs.schedule import seed_schedule

_PAUSE_AFTER_ERROR_SECONDS = 1.0
logger = logging.getLogger(__name__)


class _Entry(ModelEntry):
    def save(self) -> None:
        # The original writes the whole row, and would undo what an operator changes at the same moment.
        note_sent(self.model.pk, self.model.last_run_at, self.model.total_run_count)


class StandbyScheduler(DatabaseScheduler):
    Entry = _Entry

    def __init__(self, *arguments: Any, **more: Any) -> None:
        self._lease = BeatLease(holder_name(secrets.token_hex(4)), PostgresBook())
        self._sends = False
        super().__init__(*arguments, **more)

    def setup_schedule(self) -> None:
        """Nothing yet: whoever gets the lease seeds the schedule."""

    def tick(self, *arguments: Any, **more: Any) -> float:
        """Send at most one message; the seconds to wait before the next call."""
        try:
            if not self._lease.keep():
                self._stand_by()
                return STANDBY_SECONDS
            if not self._sends:
                self._take_over()
            return float(super().tick(*arguments, **more))
        except DatabaseError as error:
            logger.warning("beat cannot read its schedule: %s", type(error).__name__)
            return _PAUSE_AFTER_ERROR_SECONDS

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send the message, unless the lease ran out while the broker was away."""
        if self._lease.is_held:
            super().apply_entry(entry, producer=producer)

    def close(self) -> None:
        super().close()
        self._lease.give_back()

    def _take_over(self) -> None:
        seed_schedule()
        self._initial_read, self._heap, self._sends = True, None, True
        logger.info("this beat sends from now on")

    def _stand_by(self) -> None:
        if self._sends:
            logger.warning("this beat lost its lease and stands by")
            # What it did not write down yet is older than what the other beat writes.
            self._dirty.clear()
        self._sends = False
