"""How clients of the servers introduce themselves, for the proxy: Postgres clients may name their application."""

import asyncio
import struct

_SSL_REQUEST, _GSS_REQUEST = 80877103, 80877104
_MAX_STARTUP_BYTES = 10_000
_REFUSED = b"N"


async def nameless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, bytes]:
    """A protocol without names: everything is passed on."""
    return "", b""


async def application_name(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> tuple[str, bytes]:
    """The `application_name` of a Postgres client, empty without one, and its startup packet.

    Encryption is refused here, as the server behind would. Raises OSError when it is not Postgres that is spoken.
    """
    while True:
        head = await reader.readexactly(8)
        length, code = struct.unpack("!ii", head)
        if code in (_SSL_REQUEST, _GSS_REQUEST):
            writer.write(_REFUSED)
            continue
        if not 8 <= length <= _MAX_STARTUP_BYTES:
            raise ConnectionResetError
        body = await reader.readexactly(length - 8)
        return _parameters(body).get("application_name", ""), head + body


def _parameters(body: bytes) -> dict[str, str]:
    words = [word.decode(errors="replace") for word in body.split(b"\0")]
    return dict(zip(words[::2], words[1::2], strict=False))
