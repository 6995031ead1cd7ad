"""The service that takes calls in: stored in one transaction, then shown."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from django.db import connection, transaction

from .live import publish
from .models import Account, Call, Contact, RolledDay, UnreadBody
from .vendor.notices import EndedCall, IncomingCall

logger = logging.getLogger(__name__)

# Accounts and contacts whose ids are kept at hand; past this many, they are looked up anew.
REMEMBERED = 100_000


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


class Reception:
    """Stores batches and has the new calls shown. Used by one thread: it remembers ids of accounts and contacts."""

    def __init__(self) -> None:
        self._accounts: dict[tuple[int, str], int] = {}
        self._contacts: dict[tuple[int, str], _Known] = {}
        self._notices: list[tuple[int, str | datetime | None, str]] = []  # of the group's new calls, as rows of their table

    def take_in(self, batches: Sequence[Batch]) -> list[Receipt]:
        """Store all of the batches or none, then publish what is new, once it is committed.

        Returns: a receipt for each batch. Raises: django.db.Error where the database can't take them.
        """
        try:
            with transaction.atomic():
                receipts = [self._store(batch) for batch in batches]
                self._keep_notices()
        except Exception:
            self._accounts.clear()
            self._contacts.clear()
            raise
        finally:
            self._notices.clear()
        changed = [pk for receipt in receipts for pk in (*receipt.stored, *receipt.ended)]
        transaction.on_commit(partial(publish.calls_changed, changed))
        return receipts

    def _store(self, batch: Batch) -> Receipt:
        receipt = Receipt()
        for call in batch.calls:
            pk = self._insert(call, batch)
            if pk is None:
                receipt.duplicates += 1
            else:
                receipt.stored.append(pk)
                if call.raw:
                    self._notices.append((pk, connection.ops.adapt_datetimefield_value(batch.received_at), call.raw))
        if receipt.stored:
            RolledDay.objects.changed(batch.received_at)
        for end in batch.ends:
            account = self._account_id(end.account, batch)
            pk = Call.objects.end(account, end.voipid, batch.received_at)
            if pk is not None:
                receipt.ended.append(pk)
        if batch.unread:
            receipt.kept = UnreadBody.objects.keep(
                batch.app_id, batch.received_at, batch.unread, batch.unread_reason, opened=batch.unread_opened
            ).pk
        return receipt

    def _insert(self, call: IncomingCall, batch: Batch) -> int | None:
        """The new call's id; None where it is stored already.

        Written by hand: the ORM either looks first, which costs half the throughput, or returns no ids.
        """
        as_stored = connection.ops.adapt_datetimefield_value
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO calls_call"
                " (account_id, contact_id, voipid, kind, received_at, rings_until, called_at, outcome, version, screens,"
                " screens_with_sound) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, 0, 0, 0) ON CONFLICT DO NOTHING RETURNING id",
                [
                    self._account_id(call.account, batch),
                    self._contact_id(call, batch),
                    call.voipid,
                    call.kind,
                    as_stored(batch.received_at),
                    as_stored(batch.received_at + timedelta(seconds=batch.ring_seconds)),
                    as_stored(call.called_at),
                    Call.Outcome.MISSED.value,
                ],
            )
            row = cursor.fetchone()
        return row[0] if row else None

    def _keep_notices(self) -> None:
        """Of all new calls of a group at once. Written by hand as well: for one row the ORM costs more than the database."""
        if self._notices:
            with connection.cursor() as cursor:
                cursor.executemany(
                    "INSERT INTO calls_rawnotice (call_id, received_at, body) VALUES (%s, %s, %s)", self._notices
                )

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
