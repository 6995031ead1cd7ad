"""The load: HTTP requests over keep-alive connections, as cheap as can be, since client and server share the machine."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import cast

ANSWERED_WITHIN = 10.0  # seconds


class Connection(asyncio.Protocol):
    """One keep-alive connection; one request is under way at a time."""

    def __init__(self) -> None:
        self._received = b""
        self._answer: asyncio.Future[int] | None = None
        self._free = asyncio.Lock()

    @classmethod
    async def open(cls, port: int) -> Connection:
        _transport, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    def close(self) -> None:
        self._transport.close()

    async def ask(self, request: bytes) -> int:
        """The status that the request, head and body in one, is answered with.

        Raises: ConnectionError where the server hangs up.
        """
        async with self._free:
            if self._transport.is_closing():
                raise ConnectionResetError("the server hung up")
            self._answer = asyncio.get_running_loop().create_future()
            self._transport.write(request)
            return await self._answer

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        _, _, length = head.partition(b"content-length: ")  # uvicorn writes names in small letters
        if len(body) >= int(length.partition(b"\r\n")[0]):
            self._received = b""
            if self._answer and not self._answer.done():
                self._answer.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the server hung up"))


@dataclass
class Load:
    """What came of one run of load."""

    seconds: float = 0.0  # from the first request to the last answer
    sent: int = 0
    accepted: int = 0  # answered with 200
    latencies: list[float] = field(default_factory=list)  # seconds, of the accepted ones
    busy: float = 0.0  # the client's own share of one core, 0 to 1


def post(path: str, body: bytes) -> bytes:
    """A whole request, ready to be written."""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def load(port: int, requests: Sequence[bytes], connections: int, seconds: float) -> Load:
    """Send the requests in order, each connection its next one as soon as it is answered, until the time is over.

    No request is left half-way, so what was sent was answered, or the server is at fault.
    """
    done = Load()
    opened = [await Connection.open(port) for _ in range(connections)]
    remaining = iter(requests)
    started, started_busy = time.perf_counter(), time.process_time()
    until = started + seconds
    try:
        async with asyncio.timeout(seconds + ANSWERED_WITHIN):
            await asyncio.gather(*(_keep_asking(connection, remaining, until, done) for connection in opened))
    except TimeoutError:
        pass  # what was not answered shows as sent and not accepted
    finally:
        done.seconds = time.perf_counter() - started
        done.busy = (time.process_time() - started_busy) / done.seconds
        for connection in opened:
            connection.close()
    return done


async def _keep_asking(connection: Connection, remaining: Iterator[bytes], until: float, done: Load) -> None:
    for request in remaining:
        sent_at = time.perf_counter()
        done.sent += 1
        try:
            status = await connection.ask(request)
        except ConnectionError:
            return
        now = time.perf_counter()
        if status == 200:
            done.accepted += 1
            done.latencies.append(now - sent_at)
        if now >= until:
            return
