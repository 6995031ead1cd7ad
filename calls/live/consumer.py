"""One open page's socket. It only joins the hub and forwards what the hub queues for it."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any
from urllib.parse import parse_qs, urlsplit

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncWebsocketConsumer
from django.conf import settings
from django.http.request import split_domain_port, validate_host

from ..language import language_of
from ..models import Person
from ..models.person import Sight
from . import presence, receipts
from .frames import WIRE
from .hub import hub
from .render import Audience
from .sockets import SIGNED_OUT, Socket, name_of_screen


class BoardConsumer(AsyncWebsocketConsumer):
    # No layer of this name exists on purpose: the hub listens for all sockets, none listens itself.
    channel_layer_alias = "none"

    socket: Socket | None = None

    async def dispatch(self, message: dict[str, Any]) -> None:
        """What a page says costs no thread; Channels would hop into one for each message."""
        if message["type"] == "websocket.receive":
            self._hear(message.get("text") or "")
        else:
            await super().dispatch(message)

    def _hear(self, text: str) -> None:
        if self.socket is None:
            return
        if (shown := receipts.read(text)) is not None:
            hub.hear(self.socket, shown)
        elif (call := presence.read(text)) is not None:
            hub.note_look(self.socket, call)

    async def connect(self) -> None:
        if not comes_from_our_page(self.scope):
            await self.close()
            return
        await self.accept()
        person = self.scope["user"]
        if not person.is_authenticated or person.must_change_password:
            # Closed only now, since a browser can't see why a socket was never accepted.
            await self.close(SIGNED_OUT)
            return
        self.socket = Socket(
            person_id=person.pk,
            session_key=self.scope["session"].session_key,
            password=person.password,
            audience=Audience(await self._sight_of(person), language_of(self.scope["cookies"])),
            screen=name_of_screen(screen_in(self.scope["query_string"])),
            wire=self.scope.get("extensions", {}).get(WIRE),
        )
        if self.socket.wire:
            self.socket.wire.hear = self._hear
        hub.join(self.socket)
        self.forwarding = asyncio.create_task(self._forward(self.socket))

    async def _sight_of(self, person: Person) -> Sight:
        sight: Sight = await database_sync_to_async(lambda: person.sight)()
        return sight

    async def disconnect(self, code: int) -> None:
        if self.socket:
            hub.leave(self.socket)
            self.forwarding.cancel()

    async def _forward(self, socket: Socket) -> None:
        with contextlib.suppress(OSError):  # it is gone (ASGI's word for that), and `disconnect` is called too
            while isinstance(item := await socket.next(), str):
                await self.send(text_data=item)
            hub.leave(socket)
            await self.close(item)


def screen_in(query: bytes) -> str:
    """What the socket's address says as `screen`."""
    return parse_qs(query.decode("latin1")).get("screen", [""])[0]


def comes_from_our_page(scope: dict[str, Any]) -> bool:
    """Whether a socket was opened by a page of ours. CSRF protection doesn't cover sockets, so their Origin must be checked.

    Without an Origin it was no browser that asked, and so nobody was tricked into it. Source: RFC 6455, 10.2.
    """
    headers = dict(scope["headers"])
    host = headers.get(b"host", b"").decode("latin1")
    domain, _port = split_domain_port(host)
    if not domain or not validate_host(domain, settings.ALLOWED_HOSTS):
        return False
    if b"origin" not in headers:
        return True
    origin = headers[b"origin"].decode("latin1")
    try:
        return urlsplit(origin).netloc.lower() == host.lower() or origin in settings.CSRF_TRUSTED_ORIGINS
    except ValueError:  # no address at all
        return False
