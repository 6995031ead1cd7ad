"""Vendor apps as callbacks need them: who sends to which address, and how their bodies are opened."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from types import MappingProxyType
from typing import Any, NamedTuple

from django.conf import settings

from .models import VendorApp
from .receive import Batch
from .vendor import envelope, notices

logger = logging.getLogger(__name__)

LARGE_BODY = 64 * 1024  # bytes


class Opened(NamedTuple):
    """What a callback's body brought, as far as it could be read."""

    batch: Batch
    types: Mapping[str, int] = MappingProxyType({})  # notices by type
    accounts: Mapping[str, int] = MappingProxyType({})  # notices by account
    samples: Sequence[Any] = ()  # notices of calls, as they came

    @property
    def chats(self) -> int:
        return self.types.get(notices.CHAT, 0)

    @property
    def others(self) -> int:
        """Notices that are neither chat messages nor calls."""
        return sum(self.types.values()) - self.chats - self.types.get(notices.CALL, 0)


@dataclass(frozen=True)
class Sender:
    """A vendor app, with what its settings come to worked out once."""

    app: VendorApp
    key: bytes
    mapping: notices.Mapping

    @cached_property
    def names(self) -> tuple[str, str]:
        """By which it is known again: ours, and the vendor's app_id."""
        return self.app.name, self.app.app_id

    @classmethod
    def of(cls, app: VendorApp) -> Sender:
        """Raises: ValueError where the app's key is no key."""
        return cls(app, envelope.key_bytes(app.aes_key), mapping_of(app))

    def open(self, body: bytes, received_at: datetime) -> Opened:
        """What a body brought. One that can't be opened, and notices that make no sense, become part of a batch that keeps
        them."""
        app = self.app
        try:
            return self.read(envelope.open_body(body, self.key, app.allow_plain_json), received_at)
        except envelope.Unreadable as reason:
            why = str(reason)
        except Exception as error:  # nested deeper than Python reads, or a mistake of ours: neither may cost a call
            why = f"reading it failed: {type(error).__name__}"
        logger.warning("a callback to %s could not be read and is kept: %s", app.name, why)
        return Opened(Batch(app.pk, received_at, app.ring_seconds, unread=body, unread_reason=why))

    def read(self, items: list[Any], received_at: datetime) -> Opened:
        """What the notices of a body brought; those that make no sense are kept."""
        app = self.app
        reading = notices.read(items, self.mapping, with_raw=settings.NOTICE_DAYS > 0)
        batch = Batch(app.pk, received_at, app.ring_seconds, tuple(reading.calls), tuple(reading.ends))
        if reading.unread:
            why = "; ".join(dict.fromkeys(reading.reasons))
            logger.warning("%d notices to %s made no sense and are kept: %s", len(reading.unread), app.name, why)
            unread = json.dumps(reading.unread, ensure_ascii=False).encode("utf-8", "surrogatepass")
            batch = batch._replace(unread=unread, unread_opened=True, unread_reason=why)
        return Opened(batch, reading.types, reading.accounts, reading.samples)

    async def open_aside(self, body: bytes, received_at: datetime) -> Opened:
        """The same; a large body is opened in a thread, to hold nobody else up."""
        if len(body) < LARGE_BODY:
            return self.open(body, received_at)
        return await asyncio.to_thread(self.open, body, received_at)


def senders_of(apps: Iterable[VendorApp]) -> list[Sender]:
    """Each app as a sender. One whose key is no key is left out, and said so."""
    senders = []
    for app in apps:
        try:
            senders.append(Sender.of(app))
        except ValueError as error:
            logger.error("callbacks to %s are refused: %s", app.name, error)
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
