"""Which version answers: the switch, the gate before it, and the way back."""

from collections.abc import Iterator, Sequence

import pytest

from embedding_project.contracts.errors import ServiceError
from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.models import AuditEvent
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.model_versions.retiring import retire
from embeddings_app.services.model_versions.switching import switch
from tests.integration.indexing_steps import embed, failing, index, make_due
from tests.integration.reembedding_steps import (
    ACTOR,
    UNMEASURED,
    Versions,
    forget_model,
    new_model,
    rewrite,
    start,
    status,
    vectors,
    work,
    write,
)


@pytest.fixture
def versions(database: str) -> Iterator[Versions]:
    found = new_model()
    yield found
    forget_model(found[0])


def test_a_version_that_was_not_measured_answers_only_when_somebody_says_why(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    work(start(second))
    with pytest.raises(ServiceError, match="was not measured beside") as refusal:
        switch(second, ACTOR)
    assert (refusal.value.code, status(second)) == ("gate_closed", "shadow")
    with pytest.raises(ServiceError, match="say why"):
        switch(second, ACTOR, override=True)
    switch(second, ACTOR, reason="known from elsewhere", override=True)
    event = AuditEvent.objects.filter(subject=str(second)).latest("id")
    assert event.detail["reason"] == "known from elsewhere"
    assert "was not measured" in event.detail["overridden"][0]
    switch(first, ACTOR)
    switch(second, ACTOR)
    assert status(second) == "active"


def test_after_a_rollback_nothing_that_was_written_to_the_new_version_is_missing(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    work(start(second))
    switch(second, ACTOR, reason=UNMEASURED, override=True)
    write(first, "later")
    rewrite(first, "a", "changed")
    index()
    switch(first, ACTOR, reason="worse answers")
    assert vectors(first) == vectors(second) == {"a": 2, "later": 1}
    assert (status(first), status(second)) == ("active", "standby")


def test_a_switch_waits_for_documents_that_would_be_missing(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    index()
    work(start(second))
    write(first, "just written")

    def not_the_new_one(spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        return embed(spec, texts) if spec.version == 1 else failing("embedder_unavailable", len(texts))

    index(not_the_new_one)
    with pytest.raises(ServiceError, match="no vector yet of 1 document that"):
        switch(second, ACTOR, reason=UNMEASURED, override=True)
    make_due()
    index()
    switch(second, ACTOR, reason=UNMEASURED, override=True)
    assert status(second) == "active"


def test_a_version_that_is_filled_is_not_switched_to_or_retired(versions: Versions) -> None:
    first, second = versions
    write(first, "a")
    start(second)
    with pytest.raises(ServiceError, match="wait until its run has finished, or cancel"):
        switch(second, ACTOR, reason=UNMEASURED, override=True)
    with pytest.raises(ServiceError, match="wait until its run has finished, or cancel"):
        retire(second, ACTOR)
