"""The vendor's traffic: callbacks at a pace or as fast as they are answered, and what was answered to each."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from itertools import count

from calls.vendor import envelope
from calls.vendor.sandbox import call_notice, chat_notice
from tests.desk import Desk
from tests.factory import AES_KEY

KEY = envelope.key_bytes(AES_KEY)
ANSWERED_WITHIN = 30.0  # seconds; later is never
BACK_WITHIN = 30.0  # seconds that a server may be gone

_numbers = count(1)


@dataclass(frozen=True)
class Answer:
    voipid: str  # empty: the callback brought no call
    status: int | None  # None: there was no answer
    pushed_at: float  # by time.perf_counter
    answered_at: float

    @property
    def seconds(self) -> float:
        return self.answered_at - self.pushed_at


class Line:
    """One connection that is kept open; one request is under way at a time."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, port: int) -> Line:
        """Raises: OSError where no server is there within its time."""
        give_up_at = time.monotonic() + BACK_WITHIN
        while True:
            try:
                return cls(*await asyncio.open_connection("127.0.0.1", port))
            except OSError:
                if time.monotonic() > give_up_at:
                    raise
                await asyncio.sleep(0.05)

    @property
    def ended(self) -> bool:
        """Whether the server has hung up."""
        return self._reader.at_eof()

    async def post(self, path: str, body: bytes) -> int:
        """The status of the answer. Raises: OSError, EOFError, where the server hangs up."""
        head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answer = await self._reader.readuntil(b"\r\n\r\n")
        _, _, length = answer.lower().partition(b"content-length: ")
        await self._reader.readexactly(int(length.partition(b"\r\n")[0]))
        return int(answer[9:12])

    async def close(self) -> None:
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()


@dataclass
class Traffic:
    """Callbacks to a desk. Each is pushed once, answered or not, as the vendor does."""

    desk: Desk
    lines: asyncio.Queue[Line | None] = field(default_factory=asyncio.Queue)
    answers: list[Answer] = field(default_factory=list)  # in the order in which they came
    pushed: list[str] = field(default_factory=list)  # calls, in the order in which they were pushed

    @property
    def accepted(self) -> list[str]:
        """The calls that were answered with 200."""
        return [answer.voipid for answer in self.answers if answer.voipid and answer.status == 200]

    @property
    def statuses(self) -> Counter[int | None]:
        return Counter(answer.status for answer in self.answers)

    def overtaken(self, order: Iterable[str]) -> list[str]:
        """Which of the calls, in this order, stand behind one that was pushed only after they had been answered."""
        answers = {answer.voipid: answer for answer in self.answers if answer.voipid}
        latest, found = 0.0, []
        for voipid in order:
            if answers[voipid].answered_at < latest:
                found.append(voipid)
            latest = max(latest, answers[voipid].pushed_at)
        return found

    async def call(self) -> None:
        voipid = f"7{next(_numbers):09}"
        self.pushed.append(voipid)
        await self.push([call_notice(self.desk.wxid, f"78813{voipid}", voipid, nickname=f"王秀英{voipid}")], voipid)

    async def chat(self) -> None:
        await self.push([chat_notice(self.desk.wxid)])

    async def push(self, notices: object, voipid: str = "") -> None:
        await self.push_body(envelope.seal(notices, KEY), voipid)

    async def push_body(self, body: bytes, voipid: str = "") -> int | None:
        """Answered with which status; None where there was no answer."""
        line = await self.lines.get()
        status = None
        began = time.perf_counter()
        try:
            if line and line.ended:
                await line.close()
                line = None
            if line is None:
                line = await Line.open(self.desk.server.port)
                began = time.perf_counter()
            async with asyncio.timeout(ANSWERED_WITHIN):
                status = await line.post(f"/callbacks/{self.desk.secret}/", body)
        except (OSError, EOFError):
            if line:
                await line.close()
            line = None
        self.lines.put_nowait(line)
        self.answers.append(Answer(voipid, status, began, time.perf_counter()))
        return status

    async def rush(self, callbacks: int, at_once: int, call_every: int = 1) -> None:
        """So many callbacks, each connection its next one as soon as the last one is answered. Of so many one is a call, the
        others are chat messages."""
        numbers = iter(range(callbacks))

        async def push_on() -> None:
            for number in numbers:
                await (self.chat() if number % call_every else self.call())

        await asyncio.gather(*(push_on() for _ in range(at_once)))

    async def come_to(self, answers: int) -> None:
        """Until there are so many answers. Raises: TimeoutError."""
        async with asyncio.timeout(60):
            while len(self.answers) < answers:
                await asyncio.sleep(0.002)

    async def pace(self, seconds: float, calls: float, chats: float = 0) -> None:
        """So many of each a second, however late they are answered, for so long."""
        await asyncio.gather(_at_pace(self.call, calls, seconds), _at_pace(self.chat, chats, seconds))


async def _at_pace(push: Callable[[], Awaitable[None]], rate: float, seconds: float) -> None:
    pushes = []
    began = time.perf_counter()
    for number in range(round(rate * seconds)):
        if (early := began + number / rate - time.perf_counter()) > 0:
            await asyncio.sleep(early)
        pushes.append(asyncio.ensure_future(push()))
    await asyncio.gather(*pushes)


@asynccontextmanager
async def traffic_to(desk: Desk, lines: int = 64) -> AsyncIterator[Traffic]:
    """The vendor's servers, which have so many connections open."""
    traffic = Traffic(desk)
    for _ in range(lines):
        traffic.lines.put_nowait(await Line.open(desk.server.port))
    try:
        yield traffic
    finally:
        while not traffic.lines.empty():
            if line := traffic.lines.get_nowait():
                await line.close()


def percentile(seconds: Iterable[float], share: float) -> float:
    """In milliseconds: so large a share of them took no longer."""
    in_order = sorted(seconds)
    return 1000 * in_order[min(len(in_order) - 1, int(share * len(in_order)))]


def spread(answers: Iterable[Answer]) -> str:
    """How long the answers took, in one line."""
    seconds = [answer.seconds for answer in answers if answer.status == 200]
    return (
        f"answered after p50 {percentile(seconds, 0.5):.1f} ms, p99 {percentile(seconds, 0.99):.1f} ms, "
        f"at most {1000 * max(seconds):.0f} ms"
    )
