"""Load at a given rate, whatever the answers: requests leave by the clock, and a slow service meets more of them.

Runs as a process of its own (`send`), so that its pauses are not those of the measurement. Latency counts from the
moment a request was due, so time that it waited in the client is part of it.
"""

import asyncio
import json
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from urllib.parse import urlsplit

from benchmarks import corpus
from benchmarks.errors import BenchmarkError
from embedding_project.config import PROJECT_ROOT

_PATH = "/v1/embed"
_GIVE_UP_SECONDS = 60.0
_AFTER_REFUSAL_SECONDS = 0.1
_FAILED = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What is offered to `/v1/embed`."""

    url: str
    rate: float
    """Requests per second; 0 for as many as `clients` can, one after another."""
    clients: int = 1
    seconds: float
    inputs: int
    """Short texts of a request, none of which was ever sent before."""
    first: int
    """Number of the first text; no two offers to an instance may share numbers."""


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    """0 when the connection failed."""
    milliseconds: float
    retry_after: int
    """0 when the answer does not say."""
    late_ms: float
    """How long after it was due the request left: the part of the time that is the client's."""


def send(offer: Offer) -> list[Answer]:
    """Offer the load from a process of its own. Raises BenchmarkError."""
    command = (sys.executable, "-m", "benchmarks.open_loop", json.dumps(asdict(offer)))
    done = subprocess.run(command, cwd=PROJECT_ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BenchmarkError(f"the load failed: {done.stderr.strip()[-500:]}")
    return [Answer(*found) for found in json.loads(done.stdout)]


def _bodies(offer: Offer) -> Iterator[bytes]:
    words = corpus.short_texts(2_000)
    number = offer.first
    while True:
        texts = [f"{words[(number + turn) % len(words)]} {number + turn}" for turn in range(offer.inputs)]
        number += offer.inputs
        yield json.dumps({"inputs": texts}).encode()


class _Connections:
    """Keep-alive connections; a request takes an idle one or opens another."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url)
        self._idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []

    async def post(self, body: bytes, due: float) -> Answer:
        left = time.perf_counter()
        try:
            status, retry_after = await asyncio.wait_for(self._exchange(body), _GIVE_UP_SECONDS)
        except (OSError, ValueError, EOFError, TimeoutError):
            status, retry_after = _FAILED, 0
        return Answer(status, 1000 * (time.perf_counter() - due), retry_after, 1000 * (left - due))

    async def _exchange(self, body: bytes) -> tuple[int, int]:
        host, port = self._address.hostname, self._address.port
        # The server closes connections that were idle for long; one that it closed is no answer of the service.
        while self._idle and self._idle[-1][0].at_eof():
            self._idle.pop()
        reader, writer = self._idle.pop() if self._idle else await asyncio.open_connection(host, port)
        head = f"POST {_PATH} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        writer.write(f"{head}\r\n\r\n".encode() + body)
        lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = dict(line.lower().split(": ", 1) for line in lines[1:] if line)
        await reader.readexactly(int(headers["content-length"]))
        self._idle.append((reader, writer))
        return int(lines[0].split()[1]), int(headers.get("retry-after", "0"))


async def _by_the_clock(offer: Offer) -> list[Answer]:
    connections, bodies = _Connections(offer.url), _bodies(offer)
    # Independent clients come at random; a load that comes like clockwork is kinder than any real one.
    pauses = random.Random(offer.first)
    due = began = time.perf_counter()
    tasks = []
    while (due := due + pauses.expovariate(offer.rate)) < began + offer.seconds:
        body = next(bodies)
        await asyncio.sleep(max(due - time.perf_counter(), 0))
        tasks.append(asyncio.create_task(connections.post(body, due)))
    return list(await asyncio.gather(*tasks))


async def _one_after_another(offer: Offer) -> list[Answer]:
    connections, bodies = _Connections(offer.url), _bodies(offer)
    until = time.perf_counter() + offer.seconds
    found: list[Answer] = []

    async def client() -> None:
        while time.perf_counter() < until:
            found.append(await connections.post(next(bodies), time.perf_counter()))
            if found[-1].retry_after:
                await asyncio.sleep(_AFTER_REFUSAL_SECONDS)

    await asyncio.gather(*(client() for _ in range(offer.clients)))
    return found


def main(argument: str) -> None:
    """Offer what the argument says and print the answers."""
    offer = Offer(**json.loads(argument))
    answers = asyncio.run(_by_the_clock(offer) if offer.rate else _one_after_another(offer))
    print(json.dumps([list(asdict(answer).values()) for answer in answers]))


if __name__ == "__main__":
    main(sys.argv[1])
