"""`python -m benchmarks.fanout_load SHARDS ...`: fan-outs of this process to so many stub shards, as JSON.

`sender`: for each number of shards the processor milliseconds of every fan-out, from the message to the outcomes;
`node`: those that one stub shard spends on a message. With VAR_DIR and the settings of Django in the environment.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import django
import numpy as np

django.setup()  # before the imports of what needs models

from benchmarks.bare_faiss import EF_SEARCH  # noqa: E402
from benchmarks.corpus import DIMENSION  # noqa: E402
from embedding_project.config import PROJECT_ROOT, load_config  # noqa: E402
from embedding_project.contracts.messages import ShardQuery  # noqa: E402
from embeddings_app.records.topology import Topology  # noqa: E402
from embeddings_app.services.search.carrier import Carrier  # noqa: E402
from embeddings_app.services.search.hydration import Shown  # noqa: E402
from embeddings_app.services.search.shard_health import ShardHealth  # noqa: E402
from embeddings_app.services.search.shard_link import broker_link  # noqa: E402
from embeddings_app.services.search.tickets import SearchTicket  # noqa: E402

_FANOUTS = 300
_TOP_K = 14
"""As many as a search for ten asks each shard for."""
_LAYOUT, _VERSION = 900, 900
_STUB_PROCESSES = 2
_WAIT_SECONDS = 30.0


def main(counts: Sequence[int]) -> None:
    sender, node = dict[int, list[float]](), list[float]()
    for shards in counts:
        sender[shards], handling = _times(shards)
        node.append(handling)
    print(json.dumps({"sender": sender, "node": min(node)}))


def _times(shards: int) -> tuple[list[float], float]:
    with _stubs(shards) as stubs:
        carrier = Carrier(broker_link(), ShardHealth())
        until = time.monotonic() + _WAIT_SECONDS
        while _carry(carrier, shards) is None:
            if time.monotonic() > until:
                raise RuntimeError(f"{shards} stub shards do not answer")
        before = sum(map(_cpu_ms, stubs))
        times = [_carry(carrier, shards) for _ in range(_FANOUTS)]
        handling = (sum(map(_cpu_ms, stubs)) - before) / _FANOUTS / shards
    return [spent for spent in times if spent is not None], handling


def _cpu_ms(process: subprocess.Popen[bytes]) -> float:
    """Processor time of a process so far."""
    stat = Path(f"/proc/{process.pid}/stat").read_text(encoding="ascii")
    user, system = stat.rsplit(") ", 1)[1].split()[11:13]
    return 1_000 * (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def _carry(carrier: Carrier, shards: int) -> float | None:
    """Milliseconds of processor time; None when shards were missing, which only happens while stubs start."""
    query = ShardQuery(version_key=_VERSION, namespace_key=1, top_k=_TOP_K, ef_search=EF_SEARCH, exact=False, filter="")
    ticket = SearchTicket(
        query=query,
        vector=np.ones(DIMENSION, np.float32),
        shown=Shown(namespace_key=1, version_key=_VERSION, filter=None, include=frozenset()),
        topology=Topology("stub", _LAYOUT, shards, 1),
        deadline=time.monotonic() + _WAIT_SECONDS,
    )
    began = time.thread_time()
    carrier.carry([ticket], lambda: None)
    spent = 1_000 * (time.thread_time() - began)
    return spent if len(ticket.answered) == shards else None


@contextmanager
def _stubs(shards: int) -> Iterator[list[subprocess.Popen[bytes]]]:
    share = -(-shards // _STUB_PROCESSES)
    command = (sys.executable, "-m", "benchmarks.stub_shards", load_config().redis_url, str(_LAYOUT), str(_VERSION))
    processes = [
        subprocess.Popen((*command, str(first), str(min(share, shards - first))), cwd=PROJECT_ROOT)
        for first in range(0, shards, share)
    ]
    try:
        yield processes
    finally:
        for process in processes:
            process.kill()
            process.wait()


if __name__ == "__main__":
    main([int(count) for count in sys.argv[1:]])
