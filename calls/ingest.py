"""Callbacks in: a small ASGI app that stands before Django, since Django's cost per request would be most of the work.

Secret, allowlist, size, decryption, reading, intake, answer; nothing is answered before it is on disk.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from asgiref.sync import sync_to_async
from django.db import connection

from . import metrics, patience
from .intake import Intake, Letter, NotStored
from .ledger import Fate
from .models import Callback, VendorApp
from .senders import Sender, senders_of
from .stalls import Stalls

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

PREFIX = "/callbacks/"
LARGEST_BODY = 1024 * 1024  # bytes
LONGEST_ADDRESS = 64  # characters
APPS_REREAD_EVERY = 1.0  # seconds
UNKNOWN_LOOKED_FOR_EVERY = 0.1  # seconds

Result = Callback.Result
OF_THE_BUDGET = (Result.READ, Result.UNREADABLE, Result.NOT_STORED)  # a stranger can't cause what else is refused


def _answer(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """An answer as ASGI's two messages, made once."""
    length = (b"content-length", str(len(body)).encode())
    start = {"status": status, "headers": [(b"content-type", b"application/json"), length, *headers]}
    return {"type": "http.response.start"} | start, {"type": "http.response.body", "body": body}


ANSWERS = {
    Result.READ: _answer(200, b'{"errcode": 0}'),
    Result.UNREADABLE: _answer(200, b'{"errcode": 0}'),
    Result.UNKNOWN: _answer(404, b'{"errcode": 404, "message": "unknown callback address"}'),
    Result.NOT_ADMITTED: _answer(403, b'{"errcode": 403, "message": "this address is not on the allowlist"}'),
    Result.WRONG_METHOD: _answer(405, b'{"errcode": 405, "message": "callbacks are sent by POST"}', (b"allow", b"POST")),
    Result.TOO_LARGE: _answer(413, b'{"errcode": 413, "message": "the body is over 1 MiB"}'),
    Result.NOT_STORED: _answer(503, b'{"errcode": 503, "message": "could not be stored in time"}'),
}


class Arrival(NamedTuple):
    """A request to a callback address."""

    address: str
    received_at: datetime  # UTC
    seconds: Callable[[], float]  # since it came


class Ingest:
    """The ASGI app for POST /callbacks/<secret>/. Start and stop it with the server."""

    def __init__(self) -> None:
        self._senders: dict[str, Sender] = {}
        self._by_app: dict[int, Sender] = {}
        self._reread_at = 0.0
        self._looking = asyncio.Lock()
        self._stalls = Stalls()
        self._intake = Intake(self._sender_to)

    async def start(self) -> None:
        """Raises: AnotherKey; OSError where the spool can't be opened; django.db.Error where no address can be known."""
        await self._read_apps()
        await self._intake.start()
        self._stalls.start()
        self._rereading = asyncio.create_task(self._keep_rereading())

    async def stop(self) -> None:
        self._rereading.cancel()
        self._stalls.stop()
        await self._intake.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        seconds, received_at = self._stalls.watch(), datetime.now(UTC)
        secret = scope["path"][len(PREFIX) :].rstrip("/")
        sender = self._senders.get(secret) or await self._look_for(secret)
        arrival = Arrival(scope["client"][0][:LONGEST_ADDRESS] if scope.get("client") else "", received_at, seconds)
        result = await self._take_in(sender, arrival, scope, receive) if sender else Result.UNKNOWN
        start, body = ANSWERS[result]
        await send(start)
        await send(body)
        metrics.callbacks(result).inc()
        if result not in OF_THE_BUDGET:
            self._note_refused(result, sender, arrival)
        elif sender:
            taken = seconds()
            self._intake.ledger.note_answer(sender.app.id, received_at, taken)
            metrics.CALLBACK_SECONDS.observe(taken)

    async def _take_in(self, sender: Sender, arrival: Arrival, scope: Scope, receive: Receive) -> Result:
        """Once this returns, whatever has to be stored is stored."""
        if not sender.app.admits(arrival.address):
            return Result.NOT_ADMITTED
        if scope["method"] != "POST":
            return Result.WRONG_METHOD
        body = await _whole_body(scope, receive)
        if body is None:
            return Result.TOO_LARGE
        opened = await sender.open_aside(body, arrival.received_at)
        letter = Letter(sender.app.id, sender.names, arrival.received_at, arrival.address, body)
        try:
            await self._intake.take_in(letter, opened, arrival.seconds)
        except NotStored:  # put on record by the intake, once it is known what became of it
            return Result.NOT_STORED
        for kind, count in opened.types.items():
            metrics.notices(kind).inc(count)
        return Result.UNREADABLE if opened.batch.unread else Result.READ

    def _note_refused(self, result: Result, sender: Sender | None, arrival: Arrival) -> None:
        app_id = sender.app.id if sender else None
        self._intake.ledger.note(Fate(result, arrival.received_at, arrival.address, app_id, seconds=arrival.seconds()))

    async def _look_for(self, secret: str) -> Sender | None:
        """Whose callback address holds a secret that isn't known. It may be new, and is looked for: at a pace that guesses
        can't set, since all that wait share one look."""
        asked_at = time.monotonic()
        async with self._looking:
            if self._reread_at < asked_at:
                await asyncio.sleep(self._reread_at + UNKNOWN_LOOKED_FOR_EVERY - asked_at)
                await self._reread_apps()
        return self._senders.get(secret)

    async def _sender_to(self, app_id: int) -> Sender | None:
        """The vendor app of this id; None where there is none, or it has no key. Raises: django.db.Error."""
        if app_id not in self._by_app:
            await self._read_apps()
        return self._by_app.get(app_id)

    async def _keep_rereading(self) -> None:
        while True:
            await asyncio.sleep(APPS_REREAD_EVERY)
            await self._reread_apps()

    async def _reread_apps(self) -> None:
        try:
            await self._read_apps()
        except Exception as error:
            logger.error("the vendor apps could not be read; going on with those known: %s", error)

    async def _read_apps(self) -> None:
        self._reread_at = time.monotonic()
        senders = await sync_to_async(_all_senders, thread_sensitive=False)()
        self._senders = {sender.app.callback_secret: sender for sender in senders}
        self._by_app = {sender.app.pk: sender for sender in senders}


async def _whole_body(scope: Scope, receive: Receive) -> bytes | None:
    """The body; None where it is over the limit, in which case no more of it is read than that."""
    for name, value in scope["headers"]:
        if name == b"content-length" and value.isdigit() and int(value) > LARGEST_BODY:
            return None
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return bytes(body)  # cut off half-way: kept as unreadable, unless it opens all the same
        body += message.get("body", b"")
        if len(body) > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return bytes(body)


@patience.within(patience.HURRIED)
def _all_senders() -> list[Sender]:
    try:
        return senders_of(VendorApp.objects.all())
    finally:
        connection.close()  # this thread belongs to nobody, and may be idle for long
