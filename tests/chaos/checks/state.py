"""C6 convergence, C8 bounds, C10 sequence: what the service holds, during the run and at its end."""

from collections.abc import Iterator, Mapping

from tests.chaos.checks.base import Check, Evidence
from tests.chaos.final_state import LogState, unrest

_MIB = 2**20
RESIDENT_BYTES: Mapping[str, int] = {"embedder": 1_500 * _MIB, "node": 600 * _MIB, "postgres": 600 * _MIB}
OTHERS_RESIDENT_BYTES = 500 * _MIB
STORE_BYTES = 256 * _MIB
"""Of broker, cache, or the files of a node: the workload never has more than some hundred small documents."""
DESCRIPTORS = 512


class Convergence(Check):
    """At rest nothing waits, nothing is quarantined, and every replica holds what Postgres holds."""

    name = "C6 convergence"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        yield from unrest(evidence.final, evidence.replicas)


class Bounds(Check):
    """Memory, files and descriptors stay within what so little data needs."""

    name = "C8 bounds"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        worst: dict[str, str] = {}
        for sample in evidence.processes:
            most = RESIDENT_BYTES.get(sample.role.split("-")[0], OTHERS_RESIDENT_BYTES)
            if sample.usage.resident_bytes > most:
                worst[f"memory of {sample.role}"] = f"{sample.usage.resident_bytes // _MIB} MiB of {most // _MIB}"
            if sample.usage.descriptors > DESCRIPTORS:
                worst[f"descriptors of {sample.role}"] = f"{sample.usage.descriptors} of {DESCRIPTORS}"
        for store in evidence.stores:
            if store.size_bytes > STORE_BYTES:
                worst[f"size of {store.store}"] = f"{store.size_bytes // _MIB} MiB of {STORE_BYTES // _MIB}"
        if not evidence.processes or not evidence.stores:
            yield "nothing was sampled"
        yield from (f"{what}: {how_much}" for what, how_much in worst.items())


class Sequence(Check):
    """A log has every number up to its head, from 1 or from where every replica has a snapshot."""

    name = "C10 sequence"

    def violations(self, evidence: Evidence) -> Iterator[str]:
        for log in evidence.final.logs:
            kept = [replica.snapshot_seq for replica in evidence.final.replicas if replica.log == log.name]
            if log.highest != log.head and log.count:
                yield f"log {log.name} ends at {log.highest}, its head is {log.head}"
            if log.count and log.count != log.highest - log.lowest + 1:
                yield f"log {log.name} has gaps: {log.count} entries from {log.lowest} to {log.highest}"
            if _trimmed_to(log) > min(kept, default=0):
                yield f"log {log.name} begins at {log.lowest}, and a replica has no snapshot of that"


def _trimmed_to(log: LogState) -> int:
    """The last number that is no longer there; 0 when it begins with 1."""
    return log.lowest - 1 if log.count else log.head
