"""The role `bulk`: works on the jobs that the API and the admin start, one after the other."""

import logging
import time
from collections.abc import Callable

from django.db import close_old_connections
from django.db.utils import Error

from bulk_ingest.job import Leader, LeaseLost
from embedding_project.observing.log_lines import place_of
from embeddings_app.models import BulkState, BulkWish
from embeddings_app.records import bulk_jobs

_LOOK_SECONDS = 2.0
_REST_SECONDS, _LONGEST_REST_SECONDS = 5.0, 60.0
"""Of a job that could not be worked on, before it is looked at again: each time twice as long. It may be the job's own
fault, which must not keep others waiting."""
logger = logging.getLogger(__name__)


class _Resting:
    """Jobs that are left alone for a while."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}
        self._seconds: dict[int, float] = {}

    def keys(self) -> list[int]:
        return [key for key, until in self._until.items() if until > time.monotonic()]

    def begin(self, key: int) -> None:
        self._seconds[key] = min(2 * self._seconds.get(key, _REST_SECONDS / 2), _LONGEST_REST_SECONDS)
        self._until[key] = time.monotonic() + self._seconds[key]

    def end(self, key: int) -> None:
        self._until.pop(key, None)
        self._seconds.pop(key, None)


def work_on_imports(new_leader: Callable[[], Leader], go_on: Callable[[], bool] = lambda: True) -> None:
    """Work as long as `go_on` says so. A job whose process dies is taken over by the next that looks, once its lease
    has run out."""
    resting = _Resting()
    while go_on():
        key = None
        try:
            key = bulk_jobs.next_for_role(resting.keys())
            if key is not None:
                job = new_leader().lead(key)
                logger.info("%s %s", job, job.error)
                if job.state == BulkState.FAILED and job.wanted == BulkWish.ABORT:
                    # It would be the next again: an abort that came when documents had just become visible fails.
                    resting.begin(key)
                else:
                    resting.end(key)
                continue
        except LeaseLost as error:
            logger.info("%s", error)
        except Error as error:
            # What was under way goes on from the rows of the job, as soon as the database answers.
            logger.warning("the database failed: %s", type(error).__name__)
            close_old_connections()
            if key is not None:
                resting.begin(key)
        except Exception as error:  # noqa: BLE001
            # A process that ended of it would begin with the same job again, before all others.
            logger.error("bulk job %s: %s", key, place_of(error))
            if key is not None:
                resting.begin(key)
        time.sleep(_LOOK_SECONDS)
