"""The fault proxy between a client and an echo server: passing, cutting, silence, slowness, and names of peers."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import wraps

import pytest

from tests.chaos.introductions import application_name, nameless
from tests.chaos.proxy import Condition, FaultProxy, Identify

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]
_SSL_REQUEST = struct.pack("!ii", 8, 80877103)


def in_a_loop(test: Callable[[], Awaitable[None]]) -> Callable[[], None]:
    @wraps(test)
    def run() -> None:
        async def bounded() -> None:
            await asyncio.wait_for(test(), 10)

        asyncio.run(bounded())

    return run


@asynccontextmanager
async def proxied(
    identify: Identify = nameless,
) -> AsyncIterator[tuple[FaultProxy, Callable[[], Awaitable[Connection]]]]:
    """A proxy before a server that sends everything back, and how to connect to it."""
    server = await asyncio.start_server(_echo, "127.0.0.1", 0)
    proxy = FaultProxy(server.sockets[0].getsockname()[1], identify, seed=1)
    port = await proxy.start()
    opened: list[asyncio.StreamWriter] = []

    async def connect() -> Connection:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        opened.append(writer)
        return reader, writer

    yield proxy, connect
    for writer in opened:
        writer.transport.abort()
    await proxy.stop()
    server.close()
    await asyncio.sleep(0.05)


async def _echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
    except ConnectionError:
        pass  # a test has cut it
    writer.close()


async def _ask(connection: Connection, content: bytes) -> bytes:
    reader, writer = connection
    writer.write(content)
    return await reader.readexactly(len(content))


def _startup(name: str) -> bytes:
    body = b"user\0u\0application_name\0" + name.encode() + b"\0\0"
    return struct.pack("!ii", 8 + len(body), 196608) + body


@in_a_loop
async def test_a_good_way_passes_everything() -> None:
    async with proxied() as (_, connect):
        content = bytes(range(256)) * 2000
        assert await _ask(await connect(), content) == content


@in_a_loop
async def test_the_end_of_one_side_reaches_the_other() -> None:
    async with proxied() as (_, connect):
        reader, writer = await connect()
        assert await _ask((reader, writer), b"last words") == b"last words"
        writer.write_eof()
        assert await reader.read() == b""


@in_a_loop
async def test_a_cut_way_resets_what_is_open_and_what_is_opened() -> None:
    async with proxied() as (proxy, connect):
        connection = await connect()
        await _ask(connection, b"x")
        proxy.set(Condition(cut=True))
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _ask(connection, b"x")
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _ask(await connect(), b"x")
        proxy.clear()
        assert await _ask(await connect(), b"x") == b"x"


@in_a_loop
async def test_a_silent_way_holds_everything_back_and_loses_nothing() -> None:
    async with proxied() as (proxy, connect):
        old = await connect()
        await _ask(old, b"x")
        proxy.set(Condition(silent=True))
        new = await connect()
        waiting = [asyncio.create_task(_ask(connection, b"later")) for connection in (old, new)]
        assert await asyncio.wait(waiting, timeout=0.2) == (set(), set(waiting))
        proxy.clear()
        assert await asyncio.gather(*waiting) == [b"later", b"later"]


@in_a_loop
async def test_latency_delays_each_way() -> None:
    async with proxied() as (proxy, connect):
        connection = await connect()
        await _ask(connection, b"x")
        proxy.set(Condition(latency_seconds=0.1))
        began = time.monotonic()
        await _ask(connection, b"x")
        assert time.monotonic() - began >= 0.2


@in_a_loop
async def test_slices_arrive_whole() -> None:
    async with proxied() as (proxy, connect):
        proxy.set(Condition(slice_bytes=7))
        content = bytes(range(250))
        assert await _ask(await connect(), content) == content


@in_a_loop
async def test_a_reset_ends_the_connections_there_are_and_no_others() -> None:
    async with proxied() as (proxy, connect):
        connection = await connect()
        await _ask(connection, b"x")
        proxy.reset()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await _ask(connection, b"x")
        assert await _ask(await connect(), b"x") == b"x"


@in_a_loop
async def test_a_condition_may_be_for_one_peer_alone() -> None:
    async with proxied(application_name) as (proxy, connect):
        proxy.set(Condition(silent=True), "node-s0-r0")
        node, other = await connect(), await connect()
        waiting = asyncio.create_task(_ask(node, _startup("node-s0-r0-load")))
        greeting = _startup("node-s0-r1")
        assert await _ask(other, greeting) == greeting
        assert not waiting.done()
        proxy.clear("node-s0-r0")
        assert await waiting == _startup("node-s0-r0-load")


@in_a_loop
async def test_a_wish_for_encryption_is_refused_before_the_introduction() -> None:
    async with proxied(application_name) as (_, connect):
        reader, writer = await connect()
        writer.write(_SSL_REQUEST)
        assert await reader.readexactly(1) == b"N"
        assert await _ask((reader, writer), _startup("api")) == _startup("api")
