"""Callbacks in: a small ASGI app that stands before Django, since Django's cost per request would be most of the work.

Secret, allowlist, size, decryption, reading, one writer, answer; nothing is answered before it is on disk.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asgiref.sync import sync_to_async
from django.db import Error as DatabaseError
from django.db import close_old_connections

from . import metrics
from .models import VendorApp
from .receive import Batch, Receipt
from .vendor import envelope, notices
from .writer import Writer

logger = logging.getLogger(__name__)

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]

PREFIX = "/callbacks/"
LARGEST_BODY = 1024 * 1024  # bytes
LARGE_BODY = 64 * 1024  # bytes; from here on reading is done in a thread, to hold nobody else up
STORED_WITHIN = 0.9  # seconds; the vendor hangs up after 1
APPS_REREAD_EVERY = 1.0  # seconds
UNKNOWN_LOOKED_FOR_EVERY = 0.1  # seconds

ACCEPTED = (200, b'{"errcode": 0}')
UNKNOWN = (404, b'{"errcode": 404, "message": "unknown callback address"}')
NOT_ADMITTED = (403, b'{"errcode": 403, "message": "this address is not on the allowlist"}')
WRONG_METHOD = (405, b'{"errcode": 405, "message": "callbacks are sent by POST"}')
TOO_LARGE = (413, b'{"errcode": 413, "message": "the body is over 1 MiB"}')
NOT_STORED = (503, b'{"errcode": 503, "message": "could not be stored in time"}')


@dataclass(frozen=True)
class Sender:
    """A vendor app as ingest needs it, worked out once."""

    app: VendorApp
    key: bytes
    mapping: notices.Mapping


@dataclass(frozen=True)
class Opened:
    """A body that was read, as far as that was possible."""

    batch: Batch
    types: MutableMapping[str, int]


class Ingest:
    """The ASGI app for POST /callbacks/<secret>/. Start and stop it with the server."""

    def __init__(self) -> None:
        self._writer = Writer()
        self._senders: dict[str, Sender] = {}
        self._reread_at = 0.0
        self._looking = asyncio.Lock()

    async def start(self) -> None:
        self._writer.start()
        await self._reread_apps()
        self._rereading = asyncio.create_task(self._keep_rereading())

    async def stop(self) -> None:
        self._rereading.cancel()
        await self._writer.stop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        status, body = await self._answer(scope, receive)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status == 405:
            headers.append((b"allow", b"POST"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[int, bytes]:
        sender = await self._sender(scope["path"][len(PREFIX) :].rstrip("/"))
        if sender is None:
            return _refused("unknown", UNKNOWN)
        if not sender.app.admits(scope["client"][0] if scope.get("client") else ""):
            return _refused("not_admitted", NOT_ADMITTED)
        if scope["method"] != "POST":
            return _refused("wrong_method", WRONG_METHOD)
        body = await _whole_body(scope, receive)
        if body is None:
            return _refused("too_large", TOO_LARGE)
        return await self._take(body, sender)

    async def _sender(self, secret: str) -> Sender | None:
        """Whose callback address holds this secret. One that isn't known may be new, and is looked for: at a pace that
        guesses can't set, since all that wait share one look."""
        if secret not in self._senders:
            asked_at = time.monotonic()
            async with self._looking:
                if self._reread_at < asked_at:
                    await asyncio.sleep(self._reread_at + UNKNOWN_LOOKED_FOR_EVERY - asked_at)
                    await self._reread_apps()
        return self._senders.get(secret)

    async def _take(self, body: bytes, sender: Sender) -> tuple[int, bytes]:
        started = time.perf_counter()
        opened = open_body(body, sender) if len(body) < LARGE_BODY else await asyncio.to_thread(open_body, body, sender)
        batch = opened.batch
        answer = ACCEPTED
        if batch.calls or batch.ends or batch.unread:
            answer = await self._store(batch)
        for kind, count in opened.types.items():
            metrics.NOTICES.labels(kind).inc(count)
        if answer is ACCEPTED:
            metrics.CALLBACKS.labels("unreadable" if batch.unread_reason else "read").inc()
        metrics.CALLBACK_SECONDS.observe(time.perf_counter() - started)
        return answer

    async def _store(self, batch: Batch) -> tuple[int, bytes]:
        receipt = self._writer.submit(batch)
        # Waited for, not timed out: a timeout would cancel it, and the batch is stored in any case.
        done, _ = await asyncio.wait([receipt], timeout=STORED_WITHIN)
        if not done:
            receipt.add_done_callback(_count)
            logger.error("a callback was not stored within %s s and was answered with 503", STORED_WITHIN)
            return _refused("not_stored", NOT_STORED)
        return ACCEPTED if _count(receipt) else _refused("not_stored", NOT_STORED)

    async def _keep_rereading(self) -> None:
        while True:
            await asyncio.sleep(APPS_REREAD_EVERY)
            await self._reread_apps()

    async def _reread_apps(self) -> None:
        self._reread_at = time.monotonic()
        try:
            self._senders = await sync_to_async(_senders, thread_sensitive=False)()
        except DatabaseError:
            logger.exception("the vendor apps could not be read; going on with those known")


def open_body(body: bytes, sender: Sender) -> Opened:
    """What a callback's body brought; a body that can't be opened becomes a batch that keeps it."""
    received_at = datetime.now(UTC)
    app = sender.app
    try:
        items = envelope.open_body(body, sender.key, app.allow_plain_json)
    except envelope.Unreadable as reason:
        logger.warning("a callback to %s could not be read and is kept: %s", app.name, reason)
        batch = Batch(app.pk, received_at, app.ring_seconds, unread=body, unread_reason=str(reason))
        return Opened(batch, {})
    reading = notices.read(items, sender.mapping)
    unread, reason_text = b"", ""
    if reading.unread:
        reason_text = "; ".join(dict.fromkeys(reading.reasons))
        unread = json.dumps(reading.unread).encode()
        logger.warning("%d notices to %s made no sense and are kept: %s", len(reading.unread), app.name, reason_text)
    batch = Batch(app.pk, received_at, app.ring_seconds, tuple(reading.calls), tuple(reading.ends), unread, reason_text)
    return Opened(batch, reading.types)


def _refused(result: str, answer: tuple[int, bytes]) -> tuple[int, bytes]:
    metrics.CALLBACKS.labels(result).inc()
    return answer


def _count(receipt: asyncio.Future[Receipt]) -> bool:
    """Count the calls of a receipt; False where there is none, for an error that the writer has logged."""
    if receipt.exception() is not None:
        return False
    metrics.CALLS.labels("new").inc(len(receipt.result().stored))
    metrics.CALLS.labels("pushed_again").inc(receipt.result().duplicates)
    return True


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


def _senders() -> dict[str, Sender]:
    """Every vendor app by its callback secret. One whose key is no key is left out, and said so."""
    close_old_connections()
    senders = {}
    for app in VendorApp.objects.all():
        try:
            key = envelope.key_bytes(app.aes_key)
        except ValueError as error:
            logger.error("callbacks to %s are refused: %s", app.name, error)
            continue
        senders[app.callback_secret] = Sender(app, key, mapping_of(app))
    return senders


def mapping_of(app: VendorApp) -> notices.Mapping:
    return notices.Mapping(
        account=notices.paths(app.account_path),
        contact=notices.paths(app.contact_path),
        voipid=notices.paths(app.voipid_path),
        kind=notices.paths(app.kind_path),
        nickname=notices.paths(app.nickname_path),
        avatar=notices.paths(app.avatar_path),
        time=notices.paths(app.time_path),
        end=notices.paths(app.end_path),
        end_values=frozenset(app.end_values.split()),
    )
