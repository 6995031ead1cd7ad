"""The process of vendor.py: `python -m bench.vendor_process PORT`.

It gives tokens and accepts rejects after a delay, and tells when each request came and when it was answered, by
time.perf_counter, which is the same clock in all processes. For those who measure there are two more addresses:
`POST /bench/delay` sets the delay, `GET /bench/rejects` lists what came.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, cast

import uvloop

TOKEN = {"errcode": 0, "data": {"access_token": "bench", "expires_in": 7200}}
ACCEPTED = {"errcode": 0}


class Vendor:
    delay = 0.0  # seconds

    def __init__(self) -> None:
        self.rejects: dict[str, list[list[float | None]]] = {}  # by voipid: of each when it came, and when it was answered
        self.waiting = 0


class Line(asyncio.Protocol):
    """One connection, over which one request is under way at a time."""

    _received = b""
    _answering: asyncio.TimerHandle | None = None

    def __init__(self, vendor: Vendor) -> None:
        self._vendor = vendor

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        _, _, length = head.lower().partition(b"content-length: ")
        if separator and len(body) >= int(length.partition(b"\r\n")[0] or 0):
            self._received = b""
            self._answer(head.split(b" ", 2)[1].decode(), body)

    def connection_lost(self, error: Exception | None) -> None:
        if self._answering:  # whoever asked has given up
            self._answering.cancel()
            self._vendor.waiting -= 1

    def _answer(self, path: str, body: bytes) -> None:
        if path == "/wechat/handleVoipCall":
            self._reject(str(json.loads(body)["voipid"]))
        elif path == "/bench/delay":
            self._vendor.delay = json.loads(body)
            self._say(ACCEPTED)
        elif path == "/bench/rejects":
            self._say({"rejects": self._vendor.rejects, "waiting": self._vendor.waiting})
        else:
            self._say(TOKEN)

    def _reject(self, voipid: str) -> None:
        moments: list[float | None] = [time.perf_counter(), None]
        self._vendor.rejects.setdefault(voipid, []).append(moments)
        self._vendor.waiting += 1

        def accept() -> None:
            self._answering = None
            self._vendor.waiting -= 1
            moments[1] = time.perf_counter()
            self._say(ACCEPTED)

        self._answering = asyncio.get_running_loop().call_later(self._vendor.delay, accept)

    def _say(self, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
        self._transport.write(head.encode() + content)


async def main(port: int) -> None:
    vendor = Vendor()
    server = await asyncio.get_running_loop().create_server(lambda: Line(vendor), "127.0.0.1", port, backlog=512)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(main(int(sys.argv[1])))
