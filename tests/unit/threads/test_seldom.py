"""A turn comes at once, and the next one when its time is over."""

from embedding_project.threads.seldom import Seldom


def test_turns_keep_their_distance() -> None:
    times = iter([0.0, 0.0, 0.5, 0.99, 1.0, 1.5, 2.0])
    seldom = Seldom(1.0, lambda: next(times))
    assert [seldom.take_turn() for _ in range(6)] == [True, False, False, True, False, True]
