"""Notices of calls to map by: those that were kept, and one that an admin pastes. Chat messages are never among them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from .models import NoticeSample, UnreadBody, VendorApp
from .vendor import envelope, notices

OFFERED = 50  # of each sort


class NoExample(Exception):
    """There is no notice of a call."""


@dataclass(frozen=True)
class Example:
    key: str  # in addresses and forms
    received_at: datetime
    reason: str = ""  # why it could not be read; empty for a sample, which perhaps could


def examples_of(app: VendorApp) -> list[Example]:
    """What could not be read, newest first; then a sample of each form that notices had."""
    kept = UnreadBody.objects.filter(app=app, opened=True).values_list("pk", "received_at", "reason")
    samples = NoticeSample.objects.filter(app=app).values_list("pk", "received_at")
    return [
        *(Example(f"kept-{pk}", at, reason) for pk, at, reason in kept[:OFFERED]),
        *(Example(f"sample-{pk}", at) for pk, at in samples[:OFFERED]),
    ]


def notice_of(app: VendorApp, key: str) -> dict[str, Any]:
    """The notice of an example, with one item.

    Raises: NoExample where it is gone; cryptography.fernet.InvalidToken where SECRET_KEY was another one then.
    """
    sort, _, pk = key.partition("-")
    if not (pk.isascii() and pk.isdecimal() and len(pk) < 19):
        raise NoExample
    kept: UnreadBody | NoticeSample | None = None
    if sort == "kept":
        kept = UnreadBody.objects.filter(app=app, opened=True, pk=pk).first()
    elif sort == "sample":
        kept = NoticeSample.objects.filter(app=app, pk=pk).first()
    if kept is None:
        raise NoExample
    found = json.loads(kept.content)
    return _first_call(found if isinstance(found, list) else [found])


def notice_in(app: VendorApp, text: str) -> dict[str, Any]:
    """The first notice of a call, with its first item, in what somebody pasted: JSON, or a callback's body as it came.

    Raises: NoExample; calls.vendor.envelope.Unreadable; ValueError where the app's key is no key.
    """
    body = text.strip().encode("utf-8", "replace")
    return _first_call(envelope.open_body(body, envelope.key_bytes(app.aes_key), allow_plain=True))


def _first_call(items: list[Any]) -> dict[str, Any]:
    reading = notices.read(items, notices.Mapping(account=(), contact=(), voipid=(), kind=()))
    if not reading.samples:
        raise NoExample
    first: dict[str, Any] = reading.samples[0]
    return first
