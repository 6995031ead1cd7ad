"""The bare code that Ringdesk is measured against: the same work with nothing around it.

`python -m bench.references insert PORT FILE | answer PORT | broadcast PORT TRIGGER_PORT`, run by the benchmark itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import uvicorn
import uvloop
from websockets.asyncio.server import ServerConnection, broadcast, serve

HOST = "127.0.0.1"
ANSWER = b'{"errcode": 0}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


async def answer_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Read the body and answer."""
    await _whole_body(receive)
    await _answer(send)


def insert_app(file: Path) -> App:
    """An app that reads the body, stores it by one INSERT and commit in this SQLite file, and answers."""
    database = sqlite3.connect(file, isolation_level=None)  # each statement is a transaction of its own
    database.execute("PRAGMA journal_mode=WAL")
    database.execute("PRAGMA synchronous=FULL")
    database.execute("CREATE TABLE callback (id INTEGER PRIMARY KEY, received_at REAL NOT NULL, body BLOB NOT NULL)")

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        body = await _whole_body(receive)
        database.execute("INSERT INTO callback (received_at, body) VALUES (?, ?)", (time.time(), body))
        await _answer(send)

    return app


def serve_app(app: App, port: int) -> None:
    """Serve it with the settings that dashboard/server.py has."""
    uvicorn.run(
        app,
        host=HOST,
        port=port,
        loop="uvloop",
        http="httptools",
        ws="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        server_header=False,
    )


async def serve_broadcast(port: int, trigger_port: int) -> None:
    """A websocket server that sends each open socket the body of whatever request comes to the trigger's port."""

    async def greet(connection: ServerConnection) -> None:
        await connection.send("")  # stands for the board, which Ringdesk sends to a page that opens
        await connection.wait_closed()

    async with serve(greet, HOST, port, compression=None) as server:

        async def trigger(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with contextlib.suppress(asyncio.IncompleteReadError):
                while True:
                    head = await reader.readuntil(b"\r\n\r\n")
                    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
                    broadcast(server.connections, (await reader.readexactly(length)).decode())
                    writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(ANSWER), ANSWER))
            writer.close()

        async with await asyncio.start_server(trigger, HOST, trigger_port) as triggers:
            await triggers.serve_forever()


async def _whole_body(receive: Receive) -> bytes:
    body: bytes = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body", False):
            return body


async def _answer(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": ANSWER})


def main() -> None:
    match sys.argv[1:]:
        case ["insert", port, file]:
            serve_app(insert_app(Path(file)), int(port))
        case ["answer", port]:
            serve_app(answer_app, int(port))
        case ["broadcast", port, trigger_port]:
            uvloop.run(serve_broadcast(int(port), int(trigger_port)))
        case _:
            sys.exit(__doc__)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
