"""A TCP proxy between the service and one of its servers, which can make the way bad: for everybody, or for one peer.

Like a network it never loses a byte from the middle of a connection: what a silent way holds back arrives when it is
open again, unless one end has given up.
"""

import asyncio
import random
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

_CHUNK_BYTES = 64 * 1024
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
Identify = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[tuple[str, bytes]]]
"""Reads how a client introduces itself: its name, and the bytes to pass on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Condition:
    """The state of a way. The default is a good one."""

    cut: bool = False
    """Connections are reset, new ones at once."""
    silent: bool = False
    """Nothing passes, and nobody is told."""
    latency_seconds: float = 0.0
    jitter_seconds: float = 0.0
    slice_bytes: int = 0
    """Bytes that pass at a time; 0 does not slice."""


GOOD = Condition()


class FaultProxy:
    """All methods but the constructor belong to the event loop."""

    def __init__(self, upstream_port: int, identify: Identify, seed: int) -> None:
        self._upstream_port = upstream_port
        self._identify = identify
        self._random = random.Random(seed)
        self._conditions: dict[str, Condition] = {}
        self._changed = asyncio.Event()
        self._links: dict[asyncio.Task[None], str] = {}
        self._server: asyncio.Server | None = None

    async def start(self) -> int:
        """Listen; gives the port on 127.0.0.1."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def stop(self) -> None:
        if self._server:
            self._server.close()
        for task in self._links:
            task.cancel()
        await asyncio.gather(*self._links, return_exceptions=True)

    def set(self, condition: Condition, peer: str = "") -> None:
        """Give peers whose name begins with `peer` this condition; the empty name means everybody."""
        self._conditions[peer] = condition
        if condition.cut:
            self.reset(peer)
        self._wake()

    def clear(self, peer: str = "") -> None:
        self._conditions.pop(peer, None)
        self._wake()

    def reset(self, peer: str = "") -> None:
        """Cut the connections there are; new ones are as good as the way is."""
        for task, name in self._links.items():
            if name.startswith(peer):
                task.cancel()

    def _wake(self) -> None:
        self._changed.set()
        self._changed = asyncio.Event()

    def _condition(self, name: str) -> Condition:
        fitting = (peer for peer in self._conditions if name.startswith(peer))
        return self._conditions.get(max(fitting, key=len, default=""), GOOD)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._links[task] = ""
        upstream: asyncio.StreamWriter | None = None
        try:
            name, greeting = await self._identify(reader, writer)
            self._links[task] = name
            await self._passage(name)
            answers, upstream = await asyncio.open_connection("127.0.0.1", self._upstream_port)
            upstream.write(greeting)
            await self._both_ways(name, (reader, upstream), (answers, writer))
            _close(writer, upstream)
        except (OSError, asyncio.IncompleteReadError):
            _abort(writer, upstream)
        except asyncio.CancelledError:
            _reset(writer)
            _abort(writer, upstream)
        finally:
            del self._links[task]

    async def _both_ways(self, name: str, *ways: tuple[asyncio.StreamReader, asyncio.StreamWriter]) -> None:
        pumps = [asyncio.create_task(self._pump(name, source, target)) for source, target in ways]
        try:
            await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in pumps:
                pump.cancel()
            await asyncio.gather(*pumps, return_exceptions=True)

    async def _pump(self, name: str, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        while data := await source.read(_CHUNK_BYTES):
            size = self._condition(name).slice_bytes or len(data)
            for start in range(0, len(data), size):
                await self._passage(name)
                target.write(data[start : start + size])
                await target.drain()

    async def _passage(self, name: str) -> None:
        """Wait until something may pass. Raises OSError on a way that is cut."""
        while (condition := self._condition(name)).silent:
            await self._changed.wait()
        if condition.cut:
            raise ConnectionResetError
        pause = condition.latency_seconds + self._random.uniform(0, condition.jitter_seconds)
        if pause:
            await asyncio.sleep(pause)


def _close(*ends: asyncio.StreamWriter) -> None:
    """One end has said goodbye: so does the other, after what is still to be delivered."""
    for end in ends:
        end.close()


def _abort(*ends: asyncio.StreamWriter | None) -> None:
    for end in filter(None, ends):
        end.transport.abort()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Let the end of the connection be a reset, as from a host that knows nothing of it."""
    raw = writer.get_extra_info("socket")
    with suppress(OSError):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
