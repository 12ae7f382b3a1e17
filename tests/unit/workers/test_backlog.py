"""What several threads are given of the texts that wait."""

import time

from embedding_project.contracts.messages import Lane
from tests.unit.workers.builders import DIMENSION, HASHING, HeavyEncoder, batch
from workers.backlog import Backlog, Step
from workers.encoders.base import Encoder
from workers.encoders.hashing import HashingEncoder
from workers.pace import CPU_LIMITS, Pace
from workers.tickets import Ticket


def _taken(backlog: Backlog) -> Step:
    step = backlog.take(time.time())
    assert step is not None
    return step


def _add(backlog: Backlog, *texts: str, lane: Lane = Lane.INTERACTIVE, encoder: Encoder | None = None) -> None:
    encoder = encoder or HeavyEncoder()
    backlog.add(Ticket(batch(*texts, lane=lane), b""), encoder, list(enumerate(encoder.tokenize(texts))))


def test_what_waits_is_shared_out_among_the_threads_that_are_free() -> None:
    backlog = Backlog(Pace(CPU_LIMITS, 4))
    _add(backlog, *[f"{number} " + "word " * 15 for number in range(32)])
    steps = [_taken(backlog) for _ in range(4)]
    assert [len(step.works) for step in steps] == [8, 8, 8, 8]
    assert {step.cores for step in steps} == {1}
    assert backlog.take(time.time()) is None


def test_little_work_is_not_cut_into_steps_that_cost_more_than_they_save() -> None:
    backlog = Backlog(Pace(CPU_LIMITS, 4))
    _add(backlog, *[f"{number} word" for number in range(8)])
    assert len(_taken(backlog).works) == 8


def test_a_text_that_is_alone_gets_all_cores_and_the_next_one_waits_for_it() -> None:
    backlog = Backlog(Pace(CPU_LIMITS, 4))
    _add(backlog, "alone")
    alone = _taken(backlog)
    assert alone.cores == 4
    _add(backlog, "came later")
    assert backlog.take(time.time()) is None
    backlog.finished(alone)
    assert _taken(backlog).cores == 4


def test_a_text_beside_others_gets_one_core() -> None:
    backlog = Backlog(Pace(CPU_LIMITS, 4))
    _add(backlog, *[f"{number} " + "word " * 200 for number in range(2)], lane=Lane.BULK)
    running = _taken(backlog)
    _add(backlog, "a query")
    query = _taken(backlog)
    assert (running.cores, query.cores, query.lane) == (1, 1, Lane.INTERACTIVE)


def test_an_encoder_without_weights_keeps_nobody_waiting() -> None:
    backlog = Backlog(Pace(CPU_LIMITS, 2))
    elsewhere = HashingEncoder(DIMENSION, HASHING.max_tokens)
    _add(backlog, "alone", encoder=elsewhere)
    assert _taken(backlog).cores == 1
    _add(backlog, "came later", encoder=elsewhere)
    assert _taken(backlog).cores == 1
