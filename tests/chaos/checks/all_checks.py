"""The checks of a run, in the order in which they are reported."""

from tests.chaos.checks.answers import Errors, Honesty, Liveness
from tests.chaos.checks.base import Check, Evidence
from tests.chaos.checks.documents import Lost, Resurrected, Strangers
from tests.chaos.checks.order import Registers
from tests.chaos.checks.passing import Changes, Listings
from tests.chaos.checks.state import Bounds, Convergence, Sequence
from tests.chaos.checks.versions import Versions
from tests.chaos.checks.worth import Worth

CHECKS: tuple[Check, ...] = (
    Lost(),
    Resurrected(),
    Registers(),
    Strangers(),
    Honesty(),
    Convergence(),
    Liveness(),
    Bounds(),
    Errors(),
    Sequence(),
    Versions(),
    Listings(),
    Changes(),
    Worth(),
)


def judge(evidence: Evidence) -> dict[str, list[str]]:
    """Check -> its violations, of the checks that have any."""
    found = {check.name: list(check.violations(evidence)) for check in CHECKS}
    return {name: violations for name, violations in found.items() if violations}
