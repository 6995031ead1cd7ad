"""The process of pages.py: `python -m bench.pages_process COUNT PORT PATH COOKIE GREETED`.

It opens so many websockets as browsers do, says `{"open": COUNT}`, and then, for each line that it reads, what was shown. It
speaks JSON. What costs most is done once for all pages, since they are sent the same texts: the process must never be what a
measurement waits for.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import re
import sys
import time
from base64 import b64encode
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, cast

import uvloop

OPENED_AT_ONCE = 20
LOOKED_EVERY = 0.02  # seconds
TEXTS_REMEMBERED = 64
BEATS_UNANSWERED = 3  # a page with nothing to tell answers every third sign of life

CARD = re.compile(rb'id="call-(\d+)"[^>]*?data-status="(\w+)"')
BEAT = b'<i id="beat"'

TEXT, CLOSE, PING, PONG = 1, 8, 9, 10  # opcodes, RFC 6455, 5.2
FINAL = MASKED = 0x80
MASK = bytes(4)  # a client must mask; zeros leave its text as it is
ABNORMAL = 1006  # without a word


class Showing:
    """One state of a call, on all pages."""

    def __init__(self, pages: int) -> None:
        self.seen = bytearray(pages)
        self.count = 0
        self.last = 0.0  # when the last of the pages was shown it for the first time, by time.perf_counter


@dataclass
class Text:
    """What there is in a text."""

    showings: list[Showing]
    ringing: list[int]  # ids of calls
    is_beat: bool  # and nothing else


@dataclass
class Wall:
    """What all pages together were shown."""

    pages: int
    showings: dict[int, dict[str, Showing]] = field(default_factory=dict)  # by id of the call, and status
    texts: dict[bytes, Text] = field(default_factory=dict)
    card_bytes: int = 0  # of the last text that showed one call
    closed: Counter[int] = field(default_factory=Counter)  # by code

    def read(self, text: bytes) -> Text:
        known = self.texts.get(text)
        if known is None:
            if len(self.texts) >= TEXTS_REMEMBERED:
                self.texts.clear()
            known = self.texts[text] = self._read_anew(text)
        return known

    def _read_anew(self, text: bytes) -> Text:
        cards = [(int(pk), status.decode()) for pk, status in CARD.findall(text)]
        if len(cards) == 1:
            self.card_bytes = len(text)
        showings = [self._showing(pk, status) for pk, status in cards]
        ringing = [pk for pk, status in cards if status == "ringing"]
        return Text(showings, ringing, text.startswith(BEAT))

    def _showing(self, pk: int, status: str) -> Showing:
        of_call = self.showings.setdefault(pk, {})
        return of_call.setdefault(status, Showing(self.pages))

    def missing(self, pk: int) -> int:
        """On how many pages this call was shown in no state at all."""
        of_call = self.showings.get(pk, {}).values()
        if any(showing.count == self.pages for showing in of_call):
            return 0
        seen = 0
        for showing in of_call:
            seen |= int.from_bytes(showing.seen)
        return self.pages - seen.bit_count()

    def last(self, pks: list[int], status: str) -> dict[int, float]:
        """When the last page was shown each of these calls in this state; without those that some page never was."""
        found = {pk: of_call[status] for pk in pks if status in (of_call := self.showings.get(pk, {}))}
        return {pk: showing.last for pk, showing in found.items() if showing.count == self.pages}


class Page(asyncio.Protocol):
    """One open page."""

    def __init__(self, wall: Wall, number: int, head: bytes, greeted: bool) -> None:
        self._wall = wall
        self._number = number
        self._head = head
        self._greeted = greeted  # whether the first text tells that it is open; else the handshake does
        self._upgraded = False
        self._rest = b""
        self._code = ABNORMAL  # with which it was closed
        self._untold: list[int] = []
        self._beats = number
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._transport.write(self._head)

    def data_received(self, data: bytes) -> None:
        now = time.perf_counter()
        if self._rest:
            data = self._rest + data
        if not self._upgraded:
            head, separator, rest = data.partition(b"\r\n\r\n")
            if not separator:
                self._rest = data
                return
            self._upgrade(head)
            data = rest
        self._rest = self._take_frames(data, now)

    def connection_lost(self, error: Exception | None) -> None:
        self._wall.closed[self._code] += 1
        if not self.opened.done():
            self.opened.set_exception(ConnectionResetError("a page was closed before it was open"))

    def _upgrade(self, head: bytes) -> None:
        self._upgraded = True
        if not head.startswith(b"HTTP/1.1 101"):
            self.opened.set_exception(ConnectionRefusedError(head.decode("latin1").splitlines()[0]))
        elif not self._greeted:
            self.opened.set_result(None)

    def _take_frames(self, data: bytes, now: float) -> bytes:
        """What is left, the beginning of a frame. No server here sends a text in several frames."""
        at, length = 0, len(data)
        while length - at >= 2:
            size, start = data[at + 1], at + 2
            if size == 126:
                size, start = int.from_bytes(data[at + 2 : at + 4]), at + 4
            elif size == 127:
                size, start = int.from_bytes(data[at + 2 : at + 10]), at + 10
            if start > length or (end := start + size) > length:
                break
            self._take(data[at], data[start:end], now)
            at = end
        return data[at:]

    def _take(self, first: int, content: bytes, now: float) -> None:
        if first == FINAL | TEXT:
            self._note(content, now)
        elif first == FINAL | PING:
            self._say(FINAL | PONG, content)
        elif first == FINAL | CLOSE:
            self._code = int.from_bytes(content[:2])
            self._transport.close()
        else:
            raise NotImplementedError(f"a frame that begins with {first:#x}")

    def _note(self, content: bytes, now: float) -> None:
        text = self._wall.read(content)
        for showing in text.showings:
            if not showing.seen[self._number]:
                showing.seen[self._number] = 1
                showing.count += 1
                showing.last = now
        if text.ringing:
            self._untold += text.ringing
        elif text.is_beat:
            self._answer()
        if not self.opened.done():
            self.opened.set_result(None)

    def _answer(self) -> None:
        """As dashboard/static/dashboard/socket.js does: tell what was shown since, or now and then only that it is there."""
        if self._untold or self._beats % BEATS_UNANSWERED == 0:
            shown = [[pk, 0, 0] for pk in dict.fromkeys(self._untold)]
            self._say(FINAL | TEXT, json.dumps({"shown": shown[:200]}).encode())
            self._untold.clear()
        self._beats += 1

    def _say(self, first: int, content: bytes) -> None:
        size = len(content)
        sized = bytes([MASKED | size]) if size < 126 else bytes([MASKED | 126]) + size.to_bytes(2)
        self._transport.write(bytes([first]) + sized + MASK + content)


async def main(count: int, port: int, path: str, cookie: str, greeted: bool) -> None:
    wall = Wall(count)
    await _open(wall, port, path, cookie, greeted)
    gc.collect()
    gc.disable()  # a collection would show as a slow page
    _say({"open": count})
    heard = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(heard), sys.stdin)
    while line := await heard.readline():
        _say(await _shown(wall, json.loads(line)))


async def _open(wall: Wall, port: int, path: str, cookie: str, greeted: bool) -> None:
    at_once = asyncio.Semaphore(OPENED_AT_ONCE)

    async def open_one(number: int) -> None:
        key = b64encode(os.urandom(16)).decode()
        head = (
            f"GET {path}?screen=bench-{number:06} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: Upgrade\r\n"
            f"Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n"
            f"{f'Cookie: {cookie}{chr(13)}{chr(10)}' if cookie else ''}\r\n"
        )
        async with at_once:
            loop = asyncio.get_running_loop()
            page = Page(wall, number, head.encode(), greeted)
            await loop.create_connection(lambda: page, "127.0.0.1", port)
            await page.opened

    await asyncio.gather(*(open_one(number) for number in range(wall.pages)))


async def _shown(wall: Wall, asked: dict[str, Any]) -> dict[str, Any]:
    """When these calls were shown in this state: once all pages were shown all of them, or the time is over."""
    pks, status = asked["pks"], asked["status"]
    until = time.perf_counter() + asked["within"]
    while len(wall.last(pks, status)) < len(pks) and time.perf_counter() < until:
        await asyncio.sleep(LOOKED_EVERY)
    return {
        "last": wall.last(pks, status),
        "missing": sum(wall.missing(pk) for pk in pks),
        "closed": wall.closed,
        "card bytes": wall.card_bytes,
    }


def _say(answer: dict[str, Any]) -> None:
    print(json.dumps(answer), flush=True)


if __name__ == "__main__":
    _count, _port, _path, _cookie, _greeted = sys.argv[1:]
    uvloop.run(main(int(_count), int(_port), _path, _cookie, _greeted == "greeted"))
