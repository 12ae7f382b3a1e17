"""A model is led to a new version while roles and servers die: the run resumes, and ends with every vector right."""

import random
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.chaos.upgrader import OVERRIDE
from tests.conftest import Service
from tests.faults.recovery import wait_until_ready
from tests.faults.roles import flush, kill_living
from tests.faults.stream import Stream
from tests.faults.upgrades import MODEL, NAMESPACE, Upgrades, upgrades, wait_until

DOCUMENTS = 3_000
"""More than one wave of four chunks has."""
ROLES = ("indexer", "embedder-0", "node-s0-r0", "api", "beat", "postgres")
BROKER = "broker"
SEED = 23
KILLS, BETWEEN_SECONDS = 20, (0.5, 1.5)
DOCUMENTS_PER_SECOND = 150.0
"""So that the run lasts about as long as the kills."""
SEARCHED = 30


@pytest.fixture(scope="module")
def upgraded(service: Service) -> Iterator[Upgrades]:
    with upgrades(service, DOCUMENTS) as found:
        yield found


def everything_dies(upgraded: Upgrades) -> None:
    flush(upgraded.service, "REDIS_URL")
    kill_living(upgraded.service, *ROLES)


def dying_during(upgraded: Upgrades, step: Callable[[], None]) -> None:
    """Take the step, which tries until it succeeds, and let everything die at its beginning."""
    with ThreadPoolExecutor(1) as pool:
        taken = pool.submit(step)
        time.sleep(0.2)
        everything_dies(upgraded)
        taken.result()


def check_at_rest(upgraded: Upgrades, stream: Stream) -> None:
    """End the stream; what it was told is what there is, in every live version and on every node."""
    history = stream.stop()
    upgraded.wait_for_rest()
    wait_until_ready(upgraded.service)
    assert upgraded.stored() == history.live
    assert (history.resurrected, history.server_errors) == ([], [])
    upgraded.texts.clear()
    upgraded.texts.update(history.live)


@pytest.mark.slow
def test_everything_may_die_at_each_step_of_an_upgrade(upgraded: Upgrades) -> None:
    stream = Stream(upgraded.service.url, NAMESPACE, SEED, upgraded.texts)
    try:
        upgraded.register(2)
        dying_during(upgraded, lambda: upgraded.take(2, "probed", "models", "probe", MODEL, "2"))
        dying_during(upgraded, lambda: upgraded.take(2, "backfilling shadow", "reembed", "start", MODEL, "2"))
        first, last = wave_is(upgraded, 1), wave_is(upgraded, 2)
        wait_until(lambda: upgraded.embedded(2) > 0, lambda: f"no chunk began: {upgraded.runs()}", 0.02)
        everything_dies(upgraded)
        for finished in (first, last):
            wait_until(finished, lambda: f"a wave did not end: {upgraded.runs()}", 0.02)
            everything_dies(upgraded)
        upgraded.wait_for(2, "shadow")
        dying_during(upgraded, lambda: upgraded.take(2, "active", "models", "switch", MODEL, "2", *OVERRIDE))
        dying_during(upgraded, lambda: upgraded.take(1, "active", "models", "switch", MODEL, "1"))
        upgraded.take(2, "active", "models", "switch", MODEL, "2", *OVERRIDE)
        dying_during(upgraded, lambda: upgraded.take(1, "retiring retired", "models", "retire", MODEL, "1"))
        upgraded.wait_for(1, "retired")
    finally:
        stream.stop()
    check_at_rest(upgraded, stream)


def wave_is(upgraded: Upgrades, wave: int) -> Callable[[], bool]:
    """Whether the wave of the run of version 2 is finished."""
    sql = """
    SELECT r.wave > %s OR (r.wave = %s AND NOT EXISTS (
        SELECT 1 FROM reembed_chunk c WHERE c.run_id = r.id AND c.finished_at IS NULL))
    FROM reembed_run r JOIN model_registry v ON v.id = r.model_version_id WHERE v.model_id = %s AND v.version = 2
    """
    return lambda: bool(upgraded.rows(sql, wave, wave, MODEL)[0][0])


@pytest.mark.slow
def test_a_run_survives_twenty_deaths_at_random_times(upgraded: Upgrades) -> None:
    chance = random.Random(SEED)
    before, new = upgraded.active_and_next()
    stream = Stream(upgraded.service.url, NAMESPACE, SEED + 1, upgraded.texts)
    finished: dict[int, int] = {}
    try:
        upgraded.register(new)
        upgraded.take(new, "probed", "models", "probe", MODEL, str(new))
        limit = ("--documents-per-second", str(DOCUMENTS_PER_SECOND))
        upgraded.take(new, "backfilling shadow", "reembed", "start", MODEL, str(new), *limit)
        for victim in chance.sample(3 * (*ROLES, BROKER), KILLS):
            time.sleep(chance.uniform(*BETWEEN_SECONDS))
            finished |= upgraded.finished_chunks(new)
            if victim == BROKER:
                flush(upgraded.service, "REDIS_URL")
            else:
                kill_living(upgraded.service, victim)
        upgraded.wait_for(new, "shadow")
        for version in (new, before, new):
            upgraded.take(version, "active", "models", "switch", MODEL, str(version), *OVERRIDE)
    finally:
        stream.stop()
    check_at_rest(upgraded, stream)
    assert finished.items() <= upgraded.finished_chunks(new).items()
    assert DOCUMENTS / 2 < upgraded.embedded(new) <= len(upgraded.texts) + len(stream.history.deleted)
    for version in (before, new):
        upgraded.check_answers(version, chance.sample(sorted(upgraded.texts), SEARCHED))
