"""The service that reads kept callbacks once more, with the app's present key and mapping.

A call that was in one comes into history as missed, and rings nobody: it is over.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace

from cryptography.fernet import InvalidToken
from django.db import DataError, IntegrityError, transaction
from django.db import Error as DatabaseError
from django.db.models import F
from django.utils import timezone

from .models import Callback, Contact, Person, UnreadBody, VendorApp
from .receive import Batch, Receipt, Reception
from .senders import Opened, Sender
from .vendor.notices import IncomingCall

logger = logging.getLogger(__name__)

# In one transaction: callbacks that come in must not wait long for it.
BODIES_AT_ONCE = 100
BYTES_AT_ONCE = 4 * 1024 * 1024
PAUSE = 0.02  # seconds between two transactions, in which the callbacks that wait get their turn
ENDS_WITHIN = 20.0  # seconds; who asked for it waits


@dataclass
class Tally:
    """What came of a replay, in numbers."""

    read: int = 0  # kept callbacks that could be read, and are kept no longer
    unreadable: int = 0  # of which all or a part still can't be read
    locked: int = 0  # that were kept under another SECRET_KEY
    left: int = 0  # that there was no time for
    calls: int = 0
    duplicates: int = 0
    ends: int = 0

    def __iadd__(self, other: Tally) -> Tally:
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(other, each.name))
        return self


@dataclass
class _Piece:
    """A kept body, and what it brings today."""

    body: UnreadBody
    content: bytes
    opened: Opened
    rows: list[int] = field(default_factory=list)  # of the callback log, oldest first

    @property
    def reason(self) -> str:
        return self.opened.batch.unread_reason[: UnreadBody.LONGEST_REASON]


def replay(pk: int, person: Person) -> Tally:
    """Replay one kept body, in a person's name. One that is gone, replayed by somebody else meanwhile, counts as nothing.

    Raises: django.db.Error where the database can't take it.
    """
    # Looked up first: a number that no id can be is found nowhere, though the database takes none so large.
    return _replay(list(UnreadBody.objects.filter(pk=pk).values_list("pk", flat=True)), person)


def replay_all(person: Person, app: VendorApp | None = None) -> Tally:
    """Replay all that is kept, of an app or of all, oldest first, in small steps and for a limited time.

    Raises: django.db.Error where the database can't take more; what was replayed until then stays replayed.
    """
    ends_at = time.monotonic() + ENDS_WITHIN
    kept = UnreadBody.objects.filter(app=app) if app else UnreadBody.objects.all()
    tally = Tally()
    for pks in _steps(list(kept.order_by("id").values_list("pk", "size"))):
        if time.monotonic() > ends_at:
            tally.left += len(pks)
            continue
        tally += _replay(pks, person)
        time.sleep(PAUSE)
    return tally


def _steps(kept: Sequence[tuple[int, int]]) -> Iterator[list[int]]:
    """Ids in groups, from (id, size) pairs."""
    step: list[int] = []
    total = 0
    for pk, size in kept:
        if step and (len(step) >= BODIES_AT_ONCE or total + size > BYTES_AT_ONCE):
            yield step
            step, total = [], 0
        step.append(pk)
        total += size
    if step:
        yield step


def _replay(pks: Sequence[int], person: Person) -> Tally:
    tally = Tally()
    pieces = []
    for body in UnreadBody.objects.filter(pk__in=pks).select_related("app").order_by("id"):
        try:
            pieces.append(_piece_of(body))
        except InvalidToken:
            tally.locked += 1
        except DatabaseError:
            raise
        except Exception as error:  # the app's key is none; nested deeper than Python reads; a mistake of ours
            logger.error("the kept callback %d to %s can't be read: %s: %s", body.pk, body.app, type(error).__name__, error)
            tally.unreadable += 1
    tally += _store(pieces, person)
    return tally


def _piece_of(body: UnreadBody) -> _Piece:
    """Raises: InvalidToken; ValueError where the app's key is no key; whatever else reading it raises, deep as it may be."""
    sender, content, at = Sender.of(body.app), body.content, body.received_at
    opened = sender.read(json.loads(content), at) if body.opened else sender.open(content, at)
    batch = opened.batch._replace(ring_seconds=0, calls=_without_old_names(opened.batch))
    return _Piece(body, content, opened._replace(batch=batch))


def _without_old_names(batch: Batch) -> list[IncomingCall]:
    """The calls; a contact whose name is known keeps it, since what was kept is older."""
    wxids = {call.contact for call in batch.calls}
    known = Contact.objects.filter(app=batch.app_id, wxid__in=wxids).exclude(nickname="")
    named = set(known.values_list("wxid", flat=True)) if wxids else set()
    return [replace(call, nickname="", avatar="") if call.contact in named else call for call in batch.calls]


def _store(pieces: Sequence[_Piece], person: Person) -> Tally:
    """All at once; where one of them is bad, each alone, and the bad one stays kept."""
    try:
        with transaction.atomic():
            return _put_on_record(pieces, person)
    except (IntegrityError, DataError) as error:
        if len(pieces) == 1:
            reason = f"it could not be stored: {type(error).__name__}"
            UnreadBody.objects.filter(pk=pieces[0].body.pk).update(reason=reason)
            return Tally(unreadable=1)
    tally = Tally()
    for piece in pieces:
        tally += _store([piece], person)
    return tally


def _put_on_record(pieces: Sequence[_Piece], person: Person) -> Tally:
    pks = [piece.body.pk for piece in pieces]
    # Whoever comes second, of two who replay the same, finds it gone: the rows are locked, on SQLite the whole database.
    still_kept = set(UnreadBody.objects.select_for_update().filter(pk__in=pks).values_list("pk", flat=True))
    tally = Tally()
    readable = []
    for piece in pieces:
        if piece.body.pk in still_kept:
            tally.read += not piece.opened.batch.unread
            tally.unreadable += bool(piece.opened.batch.unread)
            if piece.opened.batch.unread != piece.content:
                readable.append(piece)
            elif piece.reason != piece.body.reason:
                UnreadBody.objects.filter(pk=piece.body.pk).update(reason=piece.reason)
    _take_in(readable, person, tally)
    return tally


def _take_in(pieces: Sequence[_Piece], person: Person, tally: Tally) -> None:
    """Store what can be read of these bodies now, and in their place what still can't."""
    by_body = {piece.body.pk: piece for piece in pieces}
    for row, body in Callback.objects.filter(body__in=by_body).order_by("id").values_list("pk", "body_id"):
        by_body[body].rows.append(row)
    UnreadBody.objects.filter(pk__in=by_body).delete()  # first: what is left of one may be what is kept of another
    receipts = Reception().take_in([piece.opened.batch for piece in pieces])
    for piece, receipt in zip(pieces, receipts, strict=True):
        tally.calls += len(receipt.stored)
        tally.duplicates += receipt.duplicates
        tally.ends += len(receipt.ended)
        _note(piece, receipt, person)
    if pieces:
        logger.info("%s replayed %d kept callbacks: %s", person.username, len(pieces), tally)


def _note(piece: _Piece, receipt: Receipt, person: Person) -> None:
    """Put it on record in the rows of the callbacks that brought this body, and what it held in the first of them."""
    rows = Callback.objects.filter(pk__in=piece.rows)
    rows.update(
        result=Callback.Result.UNREADABLE if receipt.kept else Callback.Result.REPLAYED,
        body=receipt.kept,
        reason=piece.reason,
        replayed_at=timezone.now(),
        replayed_by=person,
    )
    rows.filter(pk__in=piece.rows[:1]).update(
        calls=F("calls") + len(receipt.stored),
        duplicates=F("duplicates") + receipt.duplicates,
        ends=F("ends") + len(receipt.ended),
        chats=F("chats") + piece.opened.chats,
        others=F("others") + piece.opened.others,
    )
