"""The answer of a replica to a question for counts, once it has applied the log up to the position that was asked for.

A follower applies what was written within a few hundredths of a second, so the replica waits for it, but not for long:
the asker can count without the index.
"""

import logging
from collections.abc import Callable

from embedding_project.contracts.census import TOO_MANY_VALUES, Census, CensusQuestion
from embedding_project.contracts.messages import BEHIND
from embedding_project.observing.log_lines import place_of
from embedding_project.threads.waiter import rest
from index_nodes.effort import Effort, Overdue
from index_nodes.metrics import QUERIES
from index_nodes.serving import LogKey, Serving

FAILED = "internal_error"
_LOOK_SECONDS = 0.01
_WAIT_SECONDS = 0.2
logger = logging.getLogger(__name__)


def answer_census(
    serving: Callable[[], Serving], layout: int, question: CensusQuestion, shard: int, effort: Effort
) -> Census | str:
    """The census, or a code: `behind`, `too_many_values`, `internal_error`. `serving`: as of now, at each call."""
    key = LogKey(layout, question.version_key)
    wait_until = min(effort.deadline, effort.clock() + _WAIT_SECONDS)
    position = question.positions.get(shard, 0)
    while (applied := serving().applied(key)) is not None and applied < position:
        if effort.clock() >= wait_until:
            break
        rest(_LOOK_SECONDS)
    index = serving().index(key, question.epoch, effort.clock())
    if index is None or applied is None or applied < position:
        QUERIES.labels("behind").inc()
        return BEHIND
    try:
        found = index.census(question.namespace_key, question.filter, question.path, question.others, effort)
    except Overdue:
        QUERIES.labels("expired").inc()
        return FAILED
    except Exception as error:  # noqa: BLE001
        # Its message may quote a filter, so the log does not show it.
        QUERIES.labels("failed").inc()
        logger.error("a census failed with %s", place_of(error))
        return FAILED
    QUERIES.labels("answered").inc()
    return TOO_MANY_VALUES if found is None else found
