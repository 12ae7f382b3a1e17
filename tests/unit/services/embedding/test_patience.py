"""How long patient bulk texts wait for their answer."""

from embeddings_app.services.embedding.embed import ANSWER_SECONDS, answer_deadline


def test_texts_have_their_time_from_when_there_is_room() -> None:
    assert answer_deadline(room_until=110.0, now=104.0) == 104.0 + ANSWER_SECONDS


def test_texts_that_are_computed_after_others_of_their_batch_have_no_time_beyond_that_of_the_batch() -> None:
    assert answer_deadline(room_until=110.0, now=124.0) == 110.0 + ANSWER_SECONDS
