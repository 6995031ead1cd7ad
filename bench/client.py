"""The load: HTTP requests over keep-alive connections, as cheap as can be, since client and server share the machine."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import cycle
from typing import cast

ANSWERED_WITHIN = 15.0  # seconds


class _Line(asyncio.Protocol):
    """One connection, over which one request is under way at a time. Takes answers apart."""

    _received = b""

    def answered(self, status: int) -> None:
        raise NotImplementedError

    def hung_up(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        self.transport.close()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        _, _, length = head.lower().partition(b"content-length: ")
        if len(body) >= int(length.partition(b"\r\n")[0]):
            self._received = b""
            self.answered(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self.hung_up()


class Connection(_Line):
    """For requests that are sent at a moment of their own."""

    _answer: asyncio.Future[int] | None = None

    def __init__(self) -> None:
        self._free = asyncio.Lock()

    @classmethod
    async def open(cls, port: int) -> Connection:
        _transport, connection = await asyncio.get_running_loop().create_connection(cls, "127.0.0.1", port)
        return connection

    async def ask(self, request: bytes) -> int:
        """The status that the request, head and body in one, is answered with.

        Raises: ConnectionError where the server hangs up.
        """
        async with self._free:
            if self.transport.is_closing():
                raise ConnectionResetError("the server hung up")
            self._answer = asyncio.get_running_loop().create_future()
            self.transport.write(request)
            return await self._answer

    def answered(self, status: int) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_result(status)

    def hung_up(self) -> None:
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionResetError("the server hung up"))


@dataclass
class Load:
    """What came of one run of load."""

    seconds: float = 0.0  # from the first request to the last answer
    sent: int = 0
    accepted: int = 0
    refused: Counter[int] = field(default_factory=Counter)  # by status
    latencies: list[float] = field(default_factory=list)  # seconds, of the accepted ones
    busy: float = 0.0  # the client's own share of one core, 0 to 1

    def note(self, status: int, seconds: float) -> None:
        if accepted(status):
            self.accepted += 1
            self.latencies.append(seconds)
        else:
            self.refused[status] += 1


class _Eager(_Line):
    """Sends its next request as soon as the last is answered, without a task to wake up in between."""

    _sent_at = 0.0

    def __init__(self, remaining: Iterator[bytes], until: float, done: Load) -> None:
        self._remaining = remaining
        self._until = until
        self._done = done
        self.finished: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def go_on(self, now: float) -> None:
        request = next(self._remaining, None) if now < self._until else None
        if request is None:
            self.hung_up()
            return
        self._sent_at = now
        self._done.sent += 1
        self.transport.write(request)

    def answered(self, status: int) -> None:
        now = time.perf_counter()
        self._done.note(status, now - self._sent_at)
        self.go_on(now)

    def hung_up(self) -> None:
        if not self.finished.done():
            self.finished.set_result(None)


def accepted(status: int) -> bool:
    return 200 <= status < 300


def post(path: str, body: bytes, headers: str = "Content-Type: application/json\r\n") -> bytes:
    """A whole request, ready to be written. The headers end in a line break each."""
    return f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


async def load(
    port: int, requests: Sequence[bytes], connections: int, seconds: float = float("inf"), keep_alive: bool = True
) -> Load:
    """Send the requests in order, each connection its next one as soon as it is answered, until the time is over.

    No request is left half-way, so what was sent was answered, or the server is at fault.
    keep_alive: whether the server keeps connections open; else each request opens its own.
    """
    done = Load()
    remaining = iter(requests)
    send = _over_open_connections if keep_alive else _over_new_connections
    started, started_busy = time.perf_counter(), time.process_time()
    try:
        async with asyncio.timeout(None if seconds == float("inf") else seconds + ANSWERED_WITHIN):
            await send(port, remaining, connections, started + seconds, done)
    except TimeoutError:
        pass  # what was not answered shows as sent and not accepted
    done.seconds = time.perf_counter() - started
    done.busy = (time.process_time() - started_busy) / done.seconds
    return done


async def _over_open_connections(port: int, remaining: Iterator[bytes], connections: int, until: float, done: Load) -> None:
    loop = asyncio.get_running_loop()
    lines = []
    try:
        for _ in range(connections):
            _, line = await loop.create_connection(lambda: _Eager(remaining, until, done), "127.0.0.1", port)
            lines.append(line)
        for line in lines:
            line.go_on(time.perf_counter())
        await asyncio.gather(*(line.finished for line in lines))
    finally:
        for line in lines:
            line.close()


async def _over_new_connections(port: int, remaining: Iterator[bytes], connections: int, until: float, done: Load) -> None:
    async def keep_asking() -> None:
        for request in remaining:
            sent_at = time.perf_counter()
            done.sent += 1
            connection = await Connection.open(port)
            try:
                done.note(await connection.ask(request), time.perf_counter() - sent_at)
            finally:
                connection.close()
            if time.perf_counter() >= until:
                return

    await asyncio.gather(*(keep_asking() for _ in range(connections)))


@dataclass
class Paced:
    """Requests that were sent at a pace."""

    sent_at: list[float] = field(default_factory=list)  # by time.perf_counter, in the order of the requests
    refused: Counter[int] = field(default_factory=Counter)  # by status; 0: not answered in time


Push = Callable[[Sequence[bytes], float], Awaitable[Paced]]


@asynccontextmanager
async def pushers(port: int, connections: int) -> AsyncIterator[Push]:
    """A function that sends so many requests a second, however late they are answered, and waits for all answers.

    Connections push in turn, so that a request that is answered late holds up no other.
    """
    opened = [await Connection.open(port) for _ in range(connections)]
    in_turn = cycle(opened)

    async def push(requests: Sequence[bytes], rate: float) -> Paced:
        paced, answers = Paced(), []
        began = time.perf_counter()
        for number, request in enumerate(requests):
            if (early := began + number / rate - time.perf_counter()) > 0:
                await asyncio.sleep(early)
            paced.sent_at.append(time.perf_counter())
            answers.append(asyncio.ensure_future(next(in_turn).ask(request)))
        answered, late = await asyncio.wait(answers, timeout=ANSWERED_WITHIN)
        for answer in late:
            answer.cancel()
        statuses = Counter(answer.result() if answer.exception() is None else 0 for answer in answered)
        statuses[0] += len(late)
        paced.refused = Counter({status: times for status, times in statuses.items() if times and not accepted(status)})
        return paced

    try:
        yield push
    finally:
        for connection in opened:
            connection.close()
