"""The role `bulk`: works on the jobs that the API and the admin start, one after the other."""

import logging
import time
from collections.abc import Callable

from django.db import close_old_connections
from django.db.utils import Error

from bulk_ingest.job import Leader, LeaseLost
from embeddings_app.records import bulk_jobs

_LOOK_SECONDS = 2.0
_REST_SECONDS, _LONGEST_REST_SECONDS = 5.0, 60.0
"""Of a job at which the database failed, before it is looked at again: each time twice as long. It may be the job's own
fault, which must not keep others waiting."""
logger = logging.getLogger(__name__)


def work_on_imports(new_leader: Callable[[], Leader], go_on: Callable[[], bool] = lambda: True) -> None:
    """Work as long as `go_on` says so. A job whose process dies is taken over by the next that looks, once its lease
    has run out."""
    resting: dict[int, float] = {}
    rests: dict[int, float] = {}
    while go_on():
        key = None
        try:
            key = bulk_jobs.next_for_role([one for one, until in resting.items() if until > time.monotonic()])
            if key is not None:
                job = new_leader().lead(key)
                logger.info("%s %s", job, job.error)
                rests.pop(key, None)
                continue
        except LeaseLost as error:
            logger.info("%s", error)
        except Error as error:
            # What was under way goes on from the rows of the job, as soon as the database answers.
            logger.warning("the database failed: %s", type(error).__name__)
            close_old_connections()
            if key is not None:
                rests[key] = min(2 * rests.get(key, _REST_SECONDS / 2), _LONGEST_REST_SECONDS)
                resting[key] = time.monotonic() + rests[key]
        time.sleep(_LOOK_SECONDS)
