"""A link of a known speed: an HTTP proxy on loopback that lets so many bytes through a second."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_BLOCK = 65_536


class _Meter:
    """Shares a number of bytes a second among all connections, in the order they ask."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._free_at = 0.0

    async def pass_on(self, amount: int) -> None:
        now = time.monotonic()
        # What a late wake-up has lost may be made up for, a twentieth of a second at most.
        self._free_at = max(self._free_at, now - 0.05) + amount / self._rate
        await asyncio.sleep(max(0.0, self._free_at - now))


@contextmanager
def limited_link(megabits: float) -> Iterator[str]:
    """Give the URL of a proxy (``CONNECT``, RFC 9110) through which ``megabits`` come a second."""
    loop = asyncio.new_event_loop()
    meter = _Meter(megabits * 1e6 / 8)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            await _tunnel(reader, writer, meter)
        writer.close()

    server = loop.run_until_complete(asyncio.start_server(serve, "127.0.0.1", 0))
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield "http://{}:{}".format(*server.sockets[0].getsockname())
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _tunnel(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, meter: _Meter
) -> None:
    request = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    host, _, port = request.split()[1].rpartition(":")
    far_reader, far_writer = await asyncio.open_connection(host, int(port))
    writer.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
    try:
        await asyncio.gather(_copy(reader, far_writer, None), _copy(far_reader, writer, meter))
    finally:
        far_writer.close()


async def _copy(
    source: asyncio.StreamReader, target: asyncio.StreamWriter, meter: _Meter | None
) -> None:
    while block := await source.read(_BLOCK):
        if meter:
            await meter.pass_on(len(block))
        target.write(block)
        await target.drain()
    with contextlib.suppress(OSError):
        target.write_eof()
