"""Servers that show calls on pages: Ringdesk, and those that it is compared with. To a case they are all the same."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from calls.vendor.envelope import seal

from . import nchan, vendor
from .callbacks import from_a_contact, voipid
from .client import post
from .pages import Address
from .servers import KEY, Ringdesk, Running, free_port, reference
from .vendor import Vendor

RING_SECONDS = 1800


@dataclass(frozen=True)
class Subject:
    name: str
    server: Running
    trigger_port: int  # for requests
    request: Callable[[int], bytes]  # a whole HTTP request that brings the call of this number
    pks: Callable[[Sequence[int]], list[int]]  # under which ids pages are shown the calls of these numbers
    address: Address  # for pages
    installation: Ringdesk | None = None
    path: str = ""  # of Ringdesk's callback address
    vendor: Vendor | None = None  # that takes its rejects


@contextmanager
def ringdesk(folder: Path) -> Iterator[Subject]:
    """A new installation in this folder, with an agent who sees every call."""
    installation = Ringdesk(folder)
    with installation.running() as server:
        yield subject_of(installation, server, installation.set_up())


@contextmanager
def ringdesk_with_vendor(folder: Path, ring_seconds: int = RING_SECONDS) -> Iterator[Subject]:
    """The same, and a vendor who takes rejects. No call ends by itself, unless it rings for less."""
    installation = Ringdesk(folder)
    with vendor.running(folder) as its_vendor, installation.running() as server:
        path = installation.set_up(its_vendor.url, ring_seconds)
        yield replace(subject_of(installation, server, path), vendor=its_vendor)


def subject_of(installation: Ringdesk, server: Running, path: str) -> Subject:
    """Takes: an installation, the server that runs on it, and the path of its callback address."""

    def pks(numbers: Collection[int]) -> list[int]:
        installation.wait_until_stored()
        known = {its_voipid: pk for pk, its_voipid in installation.calls().items()}
        return [known.get(voipid(number), 0) for number in numbers]  # no call has this id, so it will count as lost

    return Subject(
        name="Ringdesk",
        server=server,
        trigger_port=server.port,
        request=lambda number: post(path, seal(from_a_contact(number), KEY)),
        pks=pks,
        address=Address(server.port, "/ws/board/", installation.sign_in()),
        installation=installation,
        path=path,
    )


@contextmanager
def broadcast(folder: Path, card_bytes: int) -> Iterator[Subject]:
    """A bare `websockets` broadcast (references.py), of texts of this length."""
    trigger_port = free_port()
    with reference("broadcast", folder, str(trigger_port)) as server:
        yield Subject(
            name="the bare broadcast",
            server=server,
            trigger_port=trigger_port,
            request=lambda number: post("/", _text(number, card_bytes)),
            pks=list,
            address=Address(server.port),
        )


@contextmanager
def nchan_broadcast(folder: Path, card_bytes: int) -> Iterator[Subject]:
    """nginx with nchan, which is given texts of this length. Raises: nchan.NotHere."""
    with nchan.running(folder) as server:
        yield Subject(
            name="nchan",
            server=server,
            trigger_port=server.port,
            request=lambda number: post(nchan.PUBLISH, _text(number, card_bytes), "Content-Type: text/plain\r\n"),
            pks=list,
            address=Address(server.port, nchan.SUBSCRIBE, greeted=False),
        )


def _text(number: int, length: int) -> bytes:
    return f'<article id="call-{number}" data-status="ringing">'.encode().ljust(length, b"-")
