"""A model version of which nothing can be embedded is claimed once a second, however many of its texts wait; the others
go on."""

from collections import Counter
from collections.abc import Iterator, Sequence

import psycopg
import pytest

from embedding_project.contracts.model_spec import ModelSpec
from embeddings_app.models import ModelRegistry
from embeddings_app.records import claims
from embeddings_app.records.claims import Turn, claim_pending
from embeddings_app.services.embedding.embed import EmbedOutcome
from embeddings_app.services.indexing.claiming import REST_SECONDS, Claiming
from embeddings_app.services.indexing.indexing import index_pending
from tests.integration.indexing_steps import embed, failing, make_due, rows
from tests.integration.reembedding_steps import forget_model, new_model, write

pytestmark = pytest.mark.usefixtures("database")
DOCUMENTS = 40


class Outage:
    """Embeds nothing of the versions that are away, and says so at once."""

    def __init__(self, *away: int) -> None:
        self.away = set(away)
        self.batches: Counter[int] = Counter()
        self.now = 0.0
        self.claiming = Claiming(lambda: self.now)

    def embed(self, spec: ModelSpec, texts: Sequence[str]) -> list[EmbedOutcome]:
        self.batches[spec.version_key] += 1
        if spec.version_key in self.away:
            return failing("broker_unavailable", len(texts))
        return embed(spec, texts)

    def turn(self) -> bool:
        """One turn of indexing, however long the back-offs of records are; whether there may be more."""
        more = index_pending(60.0, self.embed, lambda since: False, self.claiming)
        make_due()
        return more


@pytest.fixture
def versions() -> Iterator[list[int]]:
    """Three models, each with texts that wait."""
    models = [new_model()[0] for _ in range(3)]
    for number, model in enumerate(models):
        write(model, *(f"{number}/{document:02}" for document in range(DOCUMENTS)), namespace=f"rests-{number}")
    yield [model.pk for model in models]
    for model in models:
        forget_model(ModelRegistry.objects.get(pk=model.pk))


def pending() -> dict[int, int]:
    found = rows("SELECT model_version_id, count(*) FROM embedding_record WHERE state = 'pending' GROUP BY 1")
    return dict(found)


def test_in_an_outage_each_version_is_claimed_once_a_second(versions: list[int]) -> None:
    outage = Outage(*versions)
    for second in range(1, 4):
        for _ in range(5):
            assert not outage.turn()
            assert not outage.claiming.any_due()
        assert outage.batches == dict.fromkeys(versions, second)
        outage.now += REST_SECONDS
        assert outage.claiming.any_due()
    outage.away.clear()
    assert not outage.turn()
    assert pending() == {}


@pytest.mark.parametrize("place", [0, 1, 2])
def test_versions_that_are_embedded_wait_for_none_that_is_not(versions: list[int], place: int) -> None:
    away = versions[place]
    outage = Outage(away)
    assert not outage.turn()
    assert pending() == {away: DOCUMENTS}
    assert outage.batches[away] == 1


@pytest.mark.parametrize("places", [(), (0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)])
def test_a_claim_steps_over_what_rests_wherever_it_begins(versions: list[int], places: tuple[int, ...]) -> None:
    resting = [versions[place] for place in places]
    awake = [version for version in versions if version not in resting]
    for begin in [Turn(), *(Turn(version, namespace) for version in versions for namespace in (0, 2**62))]:
        taken: list[int] = []
        while batch := claim_pending(DOCUMENTS, 30.0, begin, resting):
            taken += {claim.version_key for claim in batch}
        behind = [version for version in awake if Turn(version, 2**61) > begin]
        assert taken == behind + [version for version in awake if version not in behind]
        assert not claims.any_due(resting)
        make_due()
        assert claims.any_due(resting) == bool(awake)


def test_a_version_whose_records_a_transaction_holds_keeps_no_other_from_its_turn(
    versions: list[int], database: str
) -> None:
    held, *others = versions
    with psycopg.connect(database) as other:
        other.execute("SELECT 1 FROM embedding_record WHERE model_version_id = %s FOR UPDATE", [held])
        claiming = Claiming()
        taken = [claiming.take(30.0) for _ in range(4)]
    assert sorted(batch[0].version_key for batch in taken if batch) == sorted(others * 2)
