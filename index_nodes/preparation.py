"""Bundles of bulk jobs that a version gets ready before their job registers, each job in a thread of its own.

When the entry of the job comes, everything is in memory, and only the ids are left to do. A bundle that cannot be used
is never an outage by itself: the rows of its documents are in the database.
"""

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

from embedding_project.observing.log_lines import place_of
from index_nodes.adoption import Adoption
from index_nodes.bundle_files import Bundle, Place, read_bundle
from index_nodes.memory_budget import MemoryBudget, NoRoom, give_back_freed
from index_nodes.metrics import ADOPTION_SECONDS, BUNDLES
from index_nodes.snapshot_check import Abandoned
from index_nodes.snapshot_files import SnapshotDamaged
from index_nodes.version_index import VersionIndex

Prepared = Literal["preparing", "ready", "refused", "no_room"]
logger = logging.getLogger(__name__)


class Preparation:
    """Of all bundles that one job has for one index."""

    def __init__(self, bundles: Sequence[Bundle], place: Place, index: VersionIndex, memory: MemoryBudget) -> None:
        self._bundles = bundles
        self._place = place
        self._index = index
        self._memory = memory
        self._lock = threading.Lock()
        self._unwanted = self._ended = False
        self._adoptions: list[Adoption] = []
        self._outcome: Prepared = "preparing"
        self._thread = threading.Thread(target=self._run, name="bundles", daemon=True)
        self._thread.start()

    @property
    def state(self) -> Prepared:
        return self._outcome

    def adopt(self, now: float) -> None:
        """Let searches see the documents of all bundles, which are ready."""
        began = time.monotonic()
        for bundle, adoption in zip(self._bundles, self._adoptions, strict=True):
            self._index.adopt(bundle.namespace_key, adoption, now)
            BUNDLES.labels("adopted").inc()
        ADOPTION_SECONDS.observe(time.monotonic() - began)

    def give_up(self) -> None:
        """Nobody wants these bundles any more, or their index is dropped."""
        with self._lock:
            self._unwanted = True
            if not self._ended:
                return  # its thread gives up itself
        threading.Thread(target=self._abandon, name="bundles", daemon=True).start()

    def _run(self) -> None:
        outcome: Prepared = "refused"
        try:
            for bundle in self._bundles:
                self._prepare(bundle)
            outcome = "ready"
        except Abandoned:
            pass
        except NoRoom as error:
            outcome = "no_room"
            self._tell(outcome, str(error))
        except SnapshotDamaged as error:
            self._tell(outcome, str(error))
        except Exception as error:  # noqa: BLE001
            self._tell(outcome, place_of(error))
        with self._lock:
            self._ended = True
            kept = outcome == "ready" and not self._unwanted
        if not kept:
            self._abandon()
        give_back_freed()
        self._outcome = outcome

    def _prepare(self, bundle: Bundle) -> None:
        began = time.monotonic()
        built = read_bundle(bundle, self._place, self._memory, self._is_unwanted)
        self._adoptions.append(adoption := self._index.begin_adoption(bundle.namespace_key, built))
        for _ in self._index.adopt_fields(bundle.namespace_key, adoption):
            if self._is_unwanted():
                raise Abandoned
        logger.info(
            "version %d: %d documents of bulk job %d are ready after %.1f s",
            *(self._place.version_key, len(built), bundle.job, time.monotonic() - began),
        )

    def _is_unwanted(self) -> bool:
        return self._unwanted or self._index.closed

    def _tell(self, outcome: Prepared, reason: str) -> None:
        BUNDLES.labels(outcome).inc()
        logger.error("bundles of bulk job %d are not used: %s", self._bundles[0].job, reason)

    def _abandon(self) -> None:
        while self._adoptions:
            adoption = self._adoptions.pop()
            if not self._index.closed:
                self._index.abandon(self._bundles[len(self._adoptions)].namespace_key, adoption)


class Preparations:
    """Of one index, by job. Only the follower calls it."""

    def __init__(self, begin: Callable[[Sequence[Bundle]], Preparation]) -> None:
        self._begin = begin
        self._of_jobs: dict[int, Preparation] = {}

    def to_json(self) -> str:
        """What the heartbeat says: by job."""
        return json.dumps({job: preparation.state for job, preparation in self._of_jobs.items()})

    def follow(self, announced: Mapping[int, Sequence[Bundle]], known: AbstractSet[int]) -> None:
        """Begin with the bundles of jobs that were announced, one job at a time, and give up those of jobs that have
        none any more."""
        for job in self._of_jobs.keys() - known:
            self._of_jobs.pop(job).give_up()
        busy = any(preparation.state == "preparing" for preparation in self._of_jobs.values())
        for job, bundles in announced.items():
            if not busy and job not in self._of_jobs:
                self.begin(job, bundles)
                busy = True

    def begin(self, job: int, bundles: Sequence[Bundle]) -> None:
        self._of_jobs[job] = self._begin(bundles)

    def of(self, job: int) -> Preparation | None:
        return self._of_jobs.get(job)

    def forget(self, job: int) -> None:
        """Of a job whose documents are in the index."""
        self._of_jobs.pop(job, None)

    def close(self) -> None:
        while self._of_jobs:
            self._of_jobs.popitem()[1].give_up()
