"""What an operator can do with a version in its state, before anything is tried.

The services themselves check again under their locks: what is offered here may be illegal a moment later.
"""

from enum import StrEnum

from embedding_project.contracts.model_spec import ModelType
from embeddings_app.models import ModelRegistry, ModelStatus
from embeddings_app.records import version_records


class Offer(StrEnum):
    """Each value ends the sentence: the version cannot be ..."""

    PROBE = "probed"
    FILL = "filled"
    CANCEL = "emptied"
    SWITCH = "made active"
    ROLL_BACK = "switched back to"
    RETIRE = "retired"


_OFFERS: dict[ModelStatus, tuple[Offer, ...]] = {
    ModelStatus.DRAFT: (Offer.PROBE, Offer.RETIRE),
    ModelStatus.PROBED: (Offer.PROBE, Offer.FILL, Offer.SWITCH, Offer.RETIRE),
    ModelStatus.BACKFILLING: (Offer.PROBE, Offer.CANCEL),
    ModelStatus.SHADOW: (Offer.PROBE, Offer.SWITCH, Offer.RETIRE),
    ModelStatus.ACTIVE: (Offer.PROBE,),
    ModelStatus.STANDBY: (Offer.PROBE, Offer.ROLL_BACK, Offer.RETIRE),
    ModelStatus.RETIRING: (),
    ModelStatus.RETIRED: (),
}


def offers(version: ModelRegistry) -> tuple[Offer, ...]:
    """What is legal in the state of the version, and of its model: documents decide how a probed version goes on."""
    found = _OFFERS[ModelStatus(version.status)]
    if version.status != ModelStatus.PROBED:
        return found
    illegal = {Offer.SWITCH} if version_records.has_documents(version.model_id) else set()
    if version.type == ModelType.EXTERNAL or active_version(version.model_id) is None:
        illegal.add(Offer.FILL)
    return tuple(offer for offer in found if offer not in illegal)


def active_version(model_id: str) -> ModelRegistry | None:
    """The version that answers."""
    return ModelRegistry.objects.filter(model_id=model_id, status=ModelStatus.ACTIVE).first()
