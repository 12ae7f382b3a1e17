"""What a check sees, and what it says."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from tests.chaos.conductor import Calm
from tests.chaos.content import Place
from tests.chaos.faults.base import FaultRecord, Part
from tests.chaos.final_state import FinalState
from tests.chaos.history import Operation, Seen
from tests.chaos.registers import Register
from tests.chaos.sampling import ProcessSample, StoreSample

AFTERMATH_SECONDS = 15.0
"""For so long after its heal a fault may still explain what is otherwise wrong: roles start again, indexes load."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """All that is known of a run."""

    operations: tuple[Operation, ...]
    registers: Mapping[Place, Register]
    faults: Sequence[FaultRecord]
    calms: Sequence[Calm]
    baseline: float
    """Served operations a second before the first fault."""
    processes: Sequence[ProcessSample]
    stores: Sequence[StoreSample]
    final: FinalState
    replicas: int
    upgrades: Mapping[str, int]
    """Step of a model version -> how often it was taken."""

    def explained(self, operation: Operation, *parts: Part) -> bool:
        """Whether a fault of one of the parts was near while the operation ran."""
        return any(
            fault.parts & set(parts) and fault.near(operation.invoked, operation.finished, AFTERMATH_SECONDS)
            for fault in self.faults
        )


class Check(ABC):
    name: ClassVar[str]

    @abstractmethod
    def violations(self, evidence: Evidence) -> Iterator[str]:
        """What breaks the promise, in words; an operation is named by its number in the history."""


def shown(evidence: Evidence) -> Iterator[tuple[Operation, Seen]]:
    """Every document of every answer."""
    for operation in evidence.operations:
        for seen in operation.answered.seen:
            yield operation, seen
