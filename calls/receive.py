"""The service that takes calls in: stored in one transaction, then shown."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any, NamedTuple

from django.db import connection, transaction

from .by_hand import as_stored
from .live import publish
from .models import Account, Call, Contact, RolledDay, UnreadBody
from .push.pushing import pushing
from .vendor.notices import EndedCall, IncomingCall

logger = logging.getLogger(__name__)

# Accounts and contacts whose ids are kept at hand; past this many, they are looked up anew.
REMEMBERED = 100_000

ROWS_AT_ONCE = 500  # calls in one statement; databases bound the values that one may have


class Batch(NamedTuple):
    """What one callback brought that has to be stored."""

    app_id: int
    received_at: datetime  # UTC
    ring_seconds: int
    calls: Sequence[IncomingCall] = ()
    ends: Sequence[EndedCall] = ()
    unread: bytes = b""  # what could not be read, to be kept: the body, or of an opened one some notices as JSON
    unread_opened: bool = False
    unread_reason: str = ""


@dataclass
class Receipt:
    """What became of one batch, as ids of calls."""

    stored: list[int] = field(default_factory=list)
    ended: list[int] = field(default_factory=list)
    duplicates: int = 0
    kept: int | None = None  # id of the unread body


class _Known(NamedTuple):
    """A contact as it was last stored."""

    pk: int
    nickname: str
    avatar: str


class _New(NamedTuple):
    """A call that may have to be stored."""

    row: tuple[Any, ...]  # as `_inserted` takes it
    raw: str  # the notice that it was read from
    received_at: datetime
    receipt: Receipt

    @property
    def key(self) -> tuple[Any, ...]:
        """Account and call id, by which the database knows whether it has it."""
        return self.row[:2]

    @property
    def stored_moment(self) -> Any:
        """When it was received, as the database stores it."""
        return self.row[4]


class Reception:
    """Stores batches and has the new calls shown. Used by one thread: it remembers ids of accounts and contacts."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[int, str], int] = {}
        self._contacts: dict[tuple[int, str], _Known] = {}

    def take_in(self, batches: Sequence[Batch]) -> list[Receipt]:
        """Store all of the batches or none, then publish what is new, once it is committed.

        Returns: a receipt for each batch. Raises: django.db.Error where the database can't take them.
        """
        try:
            with transaction.atomic():
                self._get_to_know_all(batches)
                receipts = self._store(batches)
        except Exception:
            self._accounts.clear()
            self._contacts.clear()
            raise
        stored = [pk for receipt in receipts for pk in receipt.stored]
        ended = [pk for receipt in receipts for pk in receipt.ended]
        transaction.on_commit(partial(publish.calls_changed, [*stored, *ended]))
        transaction.on_commit(partial(pushing.calls_came, stored))
        transaction.on_commit(partial(pushing.calls_changed, ended))
        return receipts

    def _get_to_know_all(self, batches: Sequence[Batch]) -> None:
        """Whom these concern, in one order: of two processes that store calls of the same people at the same moment, neither
        then has what the other waits for. SQLite has one writer at a time anyway."""
        if connection.vendor == "sqlite":
            return
        calls = [(batch, call) for batch in batches for call in batch.calls]
        for batch, call in sorted(calls, key=lambda one: (one[0].app_id, one[1].account)):
            self._account_id(call.account, batch)
        for batch, call in sorted(calls, key=lambda one: (one[0].app_id, one[1].contact)):
            self._contact_id(call, batch)

    def _store(self, batches: Sequence[Batch]) -> list[Receipt]:
        receipts = []
        new: list[_New] = []
        for batch in batches:
            receipt = Receipt()
            receipts.append(receipt)
            if batch.calls:
                new += self._new(batch, receipt)
            if batch.ends:  # of calls that may be among those: what came first is stored first
                self._insert(new)
                new = []
                self._end(batch, receipt)
            if batch.unread:
                receipt.kept = UnreadBody.objects.keep(
                    batch.app_id, batch.received_at, batch.unread, batch.unread_reason, opened=batch.unread_opened
                ).pk
        self._insert(new)
        return receipts

    def _end(self, batch: Batch, receipt: Receipt) -> None:
        for end in batch.ends:
            account = self._account_id(end.account, batch)
            pk = Call.objects.end(account, end.voipid, batch.received_at)
            if pk is not None:
                receipt.ended.append(pk)

    def _new(self, batch: Batch, receipt: Receipt) -> Iterator[_New]:
        received_at = as_stored(batch.received_at)
        rings_until = as_stored(batch.received_at + timedelta(seconds=batch.ring_seconds))
        for call in batch.calls:
            account, contact = self._account_id(call.account, batch), self._contact_id(call, batch)
            row = (account, call.voipid, contact, call.kind, received_at, rings_until, as_stored(call.called_at))
            yield _New(row, call.raw, batch.received_at, receipt)

    def _insert(self, new: Sequence[_New]) -> None:
        """Store those that aren't stored yet, and note in their receipts what became of each."""
        ids = _inserted([one.row for one in new])
        notices = []
        for one in new:
            pk = ids.pop(one.key, None)  # taken, since the same call may come twice in a group
            if pk is None:
                one.receipt.duplicates += 1
                continue
            one.receipt.stored.append(pk)
            RolledDay.objects.changed(one.received_at)
            if one.raw:
                notices.append((pk, one.stored_moment, one.raw))
        _keep_notices(notices)

    def _account_id(self, wxid: str, batch: Batch) -> int:
        key = (batch.app_id, wxid)
        if (pk := self._accounts.get(key)) is not None:
            return pk
        account, created = Account.objects.get_or_create(
            app_id=batch.app_id, wxid=wxid, defaults={"created_at": batch.received_at}
        )
        if created:
            logger.info("account %s was called for the first time; it has no team yet", wxid)
        if len(self._accounts) >= REMEMBERED:
            self._accounts.clear()
        self._accounts[key] = account.pk
        return account.pk

    def _contact_id(self, call: IncomingCall, batch: Batch) -> int:
        """The contact's id, with nickname and avatar brought up to date where the notice has them."""
        key = (batch.app_id, call.contact)
        known = self._contacts.get(key)
        if known and call.nickname in {"", known.nickname} and call.avatar in {"", known.avatar}:
            return known.pk
        contact = Contact(app_id=batch.app_id, wxid=call.contact, nickname=call.nickname, avatar=call.avatar)
        # Writing the wxid over itself changes nothing, but has the row's id returned.
        fields = [name for name in ("nickname", "avatar") if getattr(call, name)] or ["wxid"]
        Contact.objects.bulk_create([contact], update_conflicts=True, unique_fields=["app", "wxid"], update_fields=fields)
        if len(self._contacts) >= REMEMBERED:
            self._contacts.clear()
        self._contacts[key] = _Known(contact.pk, call.nickname, call.avatar)
        return contact.pk


def _inserted(rows: Sequence[tuple[Any, ...]]) -> dict[tuple[Any, ...], int]:
    """Insert those calls that aren't stored yet; their ids, by account and call id.

    Written by hand: the ORM either looks first, which costs half the throughput, or returns no ids.
    rows: account_id, voipid, contact_id, kind, received_at, rings_until, called_at.
    """
    ids: dict[tuple[Any, ...], int] = {}
    with connection.cursor() as cursor:
        for some in (rows[start : start + ROWS_AT_ONCE] for start in range(0, len(rows), ROWS_AT_ONCE)):
            rows_of_marks = ", ".join([f"(%s, %s, %s, %s, %s, %s, %s, '{Call.Outcome.MISSED.value}', 0, 0, 0)"] * len(some))
            columns = "account_id, voipid, contact_id, kind, received_at, rings_until, called_at, outcome, version, screens"
            cursor.execute(
                f"INSERT INTO calls_call ({columns}, screens_with_sound) VALUES {rows_of_marks}"  # noqa: S608  # our names
                " ON CONFLICT DO NOTHING RETURNING account_id, voipid, id",
                [value for row in some for value in row],
            )
            ids |= {(account_id, voipid): pk for account_id, voipid, pk in cursor.fetchall()}
    return ids


def _keep_notices(notices: Sequence[tuple[Any, ...]]) -> None:
    """Written by hand as well: for one row the ORM costs more than the database."""
    if notices:
        with connection.cursor() as cursor:
            cursor.executemany("INSERT INTO calls_rawnotice (call_id, received_at, body) VALUES (%s, %s, %s)", notices)
