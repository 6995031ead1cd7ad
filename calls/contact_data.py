"""A contact's data on request: written out whole, or erased, after which only the record is left that calls came.

Erasing gives the calls to a contact without a name and deletes the old one. Whoever still remembers the old one's id, as the
writer does, can't use it: the database refuses it, and the next call makes a new contact.
"""

from __future__ import annotations

import base64
import contextlib
import json
import logging
import re
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import F, Prefetch
from django.http import QueryDict
from django.utils import timezone

from . import search
from .contacts.pictures import CONTENT_TYPE
from .live import publish
from .models import (
    Attempt,
    Avatar,
    Call,
    Callback,
    Contact,
    Export,
    FollowUp,
    Note,
    NoticeSample,
    RawNotice,
    SavedView,
    UnreadBody,
)
from .vendor import envelope, notices

logger = logging.getLogger(__name__)

CALLS_AT_ONCE = 200
ERASED_WORDS = "…"  # in place of what somebody looked for
WITH_CALLS = (
    "attempts__person",
    "notes__person",
    Prefetch("follow_ups", FollowUp.objects.select_related("team", "added_by", "taken_by", "done_by").order_by("id")),
)
NOWHERE = notices.Mapping(account=(), contact=(), voipid=(), kind=())


class StillBusy(Exception):
    """A call of the contact is not over, or the result of a reject may still come in."""


@dataclass
class Erased:
    """What was erased, in numbers."""

    calls: int = 0  # that no longer say who called
    notices: int = 0
    notes: int = 0
    answers: int = 0
    samples: int = 0
    unread: int = 0  # kept callbacks, in whole or in part
    unread_unknown: int = 0  # kept callbacks that can't be read, so that nobody can tell whether they hold something
    views: int = 0
    searches: int = 0  # on record with exports
    files: int = 0

    def __str__(self) -> str:
        return ", ".join(f"{each.name.replace('_', ' ')} {getattr(self, each.name)}" for each in fields(self))


def export(contact: Contact) -> dict[str, Any]:
    """All that is kept about a contact, as JSON takes it. Times are ISO 8601, in UTC."""
    calls = contact.calls.select_related("account", "claimed_by", "taken_by", "notice").order_by("received_at", "id")
    return {
        "exported_at": timezone.now().isoformat(),
        "vendor_app": contact.app.name,
        "contact": {
            "wxid": contact.wxid,
            "nickname": contact.nickname,
            "avatar": contact.avatar,
            "picture": _exported_picture(contact),
            "remark": contact.remark,
            "tags": contact.tags,
            "mark": contact.mark,
            "changed_by": contact.changed_by and str(contact.changed_by),
            "changed_at": _iso(contact.changed_at),
        },
        "calls": [_exported(call) for call in calls.prefetch_related(*WITH_CALLS)],
    }


def _exported_picture(contact: Contact) -> dict[str, Any] | None:
    avatar = Avatar.objects.filter(pk=contact.pk).exclude(version="").first()
    if avatar is None:
        return None
    return {
        "fetched_at": _iso(avatar.tried_at),
        "type": CONTENT_TYPE,
        "base64": base64.b64encode(avatar.picture).decode(),
    }


def _exported(call: Call) -> dict[str, Any]:
    notice = getattr(call, "notice", None)
    return {
        "id": call.pk,
        "call_id": call.voipid,
        "kind": Call.Kind(call.kind).name.lower(),
        "account": {"wxid": call.account.wxid, "name": call.account.name},
        "received_at": _iso(call.received_at),
        "called_at": _iso(call.called_at),
        "rings_until": _iso(call.rings_until),
        "first_shown_at": _iso(call.shown_at),
        "ended_at": _iso(call.ended_at),
        "outcome": call.outcome,
        "by": call.claimed_by and str(call.claimed_by),
        "taken_by": call.taken_by and str(call.taken_by),
        "taken_at": _iso(call.taken_at),
        "attempts": [
            {
                "by": str(attempt.person),
                "reason": attempt.reason,
                "started_at": _iso(attempt.started_at),
                "answered_at": _iso(attempt.answered_at),
                "result": attempt.result,
                "code": attempt.errcode,
                "message": attempt.message,
                "milliseconds": attempt.milliseconds,
                "answer": attempt.answer,
            }
            for attempt in call.attempts.all()
        ],
        "notes": [
            {"by": str(note.person), "written_at": _iso(note.written_at), "text": note.text} for note in call.notes.all()
        ],
        "follow_ups": [
            {
                "team": follow_up.team and follow_up.team.name,
                "added_by": follow_up.added_by and str(follow_up.added_by),
                "added_at": _iso(follow_up.added_at),
                "taken_by": follow_up.taken_by and str(follow_up.taken_by),
                "taken_at": _iso(follow_up.taken_at),
                "done_by": follow_up.done_by and str(follow_up.done_by),
                "done_at": _iso(follow_up.done_at),
                "note": follow_up.note,
            }
            for follow_up in call.follow_ups.all()
        ],
        "notice": notice and _json_or_text(notice.body),
    }


def _iso(moment: Any) -> str | None:
    return moment.isoformat() if moment else None


def erase(contact: Contact) -> Erased:
    """Erase all that says who this contact is. That calls came stays: when, to which account, what came of them, by whom.

    In small steps: whoever is interrupted does it again.
    Raises: StillBusy; django.db.Error where the database can't take more.
    """
    _check_is_over(contact)
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA secure_delete = ON")  # overwrite what is deleted
    erased, names = Erased(), _Names(contact.wxid, [contact.nickname, contact.remark])
    _erase_samples(contact, names, erased)
    _erase_unread(contact, names, erased)
    _erase_searches(contact, names, erased)
    _erase_notes_elsewhere(contact, names, erased)
    _delete_export_files(erased)
    while not _erase_some_calls(contact, names, erased):
        pass
    _delete_export_files(erased)  # those that were begun meanwhile
    search.leave_no_trace(Contact, Note, *([Attempt] if erased.answers else []))
    _empty_log()
    publish.boards_changed()
    logger.info("contact %d was erased: %s", contact.pk, erased)
    return erased


def _check_is_over(contact: Contact) -> None:
    """A reject needs the id, and its result may bring it back. Raises: StillBusy."""
    settled = Call.objects.settled(timezone.now())
    if contact.calls.exclude(pk__in=settled.filter(contact=contact)).exists():
        raise StillBusy


class _Names:
    """By what a contact is known: an id, which is found anywhere, and names, which others may have as well."""

    def __init__(self, wxid: str, names: Iterable[str]) -> None:
        self._wxid = re.compile(rf"(?<!\w){re.escape(wxid)}(?!\w)", re.ASCII)
        self._called = [name for name in names if name]

    def id_in(self, value: Any) -> bool:
        """Whether the id stands in a text, or in any text of a value out of JSON."""
        return any(self._wxid.search(text) for text in _texts(value))

    def either_in(self, value: Any) -> bool:
        return any(self._wxid.search(text) or self._names(text) for text in _texts(value))

    def _names(self, text: str) -> bool:
        return any(text == name if len(name) < 2 else name in text for name in self._called)


def _texts(value: Any) -> Iterator[str]:
    """Every text, number and name in a value out of JSON, as text. Raises: RecursionError."""
    if isinstance(value, dict):
        for name, one in value.items():
            yield name
            yield from _texts(one)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)
    elif value is not None and value != "":
        yield str(value)


def _json_or_text(text: str) -> Any:
    """What a text says, where it is JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def _erase_some_calls(contact: Contact, names: _Names, erased: Erased) -> bool:
    """A few of the contact's calls; with the last ones the contact. Returns: whether it is gone."""
    with transaction.atomic():
        # Locked: a call that comes in now is seen here, or is refused with the contact's id and finds the next one.
        Contact.objects.select_for_update().filter(pk=contact.pk).first()
        _check_is_over(contact)
        calls = list(contact.calls.order_by("id").values_list("pk", flat=True)[:CALLS_AT_ONCE])
        if not calls:
            Contact.objects.filter(pk=contact.pk).delete()
            return True
        erased.notices += RawNotice.objects.filter(call__in=calls).delete()[0]
        erased.notes += Note.objects.filter(call__in=calls).exclude(text="").update(text="")
        for attempt in Attempt.objects.filter(call__in=calls):
            # In JSON a name may be spelt in escapes.
            if names.either_in([attempt.answer, _json_or_text(attempt.answer), attempt.message]):
                attempt.answer = attempt.message = ""
                attempt.save(update_fields=["answer", "message"])
                erased.answers += 1
        nobody, _created = Contact.objects.get_or_create(app=contact.app, wxid=f"{Contact.ERASED}{contact.pk}")
        follow_ups = FollowUp.objects.filter(call__in=calls)
        erased.notes += follow_ups.exclude(note="").update(note="")
        follow_ups.open().update(done_at=timezone.now())  # nobody is left to be called
        follow_ups.update(contact=nobody)
        erased.calls += Call.objects.filter(pk__in=calls).update(contact=nobody, version=F("version") + 1)
    return False


def _erase_samples(contact: Contact, names: _Names, erased: Erased) -> None:
    for sample in NoticeSample.objects.filter(app=contact.app):
        with contextlib.suppress(InvalidToken, RecursionError):  # of the former nobody can read anything any more
            if names.id_in(json.loads(sample.content)):
                sample.delete()
                erased.samples += 1


def _erase_unread(contact: Contact, names: _Names, erased: Erased) -> None:
    for body in UnreadBody.objects.filter(app=contact.app).order_by("id").iterator(chunk_size=20):
        try:
            found = _content_of(body)
            holds_it = names.id_in(found)
        except (InvalidToken, RecursionError, ValueError):
            found, holds_it = "", False
        if holds_it:
            _keep_the_rest(body, found if isinstance(found, list) else [], names)
            erased.unread += 1
        elif isinstance(found, str):
            erased.unread_unknown += 1


def _content_of(body: UnreadBody) -> Any:
    """What a kept callback holds: notices, or as text what can't be opened with the present key.

    Raises: InvalidToken; RecursionError; ValueError where the app's key is no key.
    """
    if body.opened:
        return json.loads(body.content)
    try:
        return envelope.open_body(body.content, envelope.key_bytes(body.app.aes_key), allow_plain=True)
    except envelope.Unreadable:
        return body.content.decode("utf-8", "replace")


@transaction.atomic
def _keep_the_rest(body: UnreadBody, found: list[Any], names: _Names) -> None:
    """Of notices that could not be read, those that concern others: there may be calls among them."""
    rest = []
    for notice in notices.read(found, NOWHERE).unread:  # the notices of calls
        items = [item for item in notice["data"] if not names.id_in(item)]
        if items and not names.id_in({**notice, "data": None}):
            rest.append(notice | {"data": items})
    if rest:
        content = json.dumps(rest, ensure_ascii=False).encode("utf-8", "surrogatepass")
        kept = UnreadBody.objects.keep(body.app_id, body.received_at, content, body.reason, opened=True)
        Callback.objects.filter(body=body).update(body=kept)
    body.delete()


def _erase_searches(contact: Contact, names: _Names, erased: Erased) -> None:
    """Addresses of history that look for the contact: kept by people as views, and on record with exports."""
    for view in SavedView.objects.all():
        query = QueryDict(view.query)
        if names.either_in([view.name, query.get("q", "")]) or query.get("contact") == str(contact.pk):
            view.delete()
            erased.views += 1
    for export in Export.objects.exclude(query=""):
        asked = QueryDict(export.query).copy()
        if names.either_in(asked.get("q", "")):
            asked["q"] = ERASED_WORDS
            Export.objects.filter(pk=export.pk).update(query=asked.urlencode())
            erased.searches += 1


def _erase_notes_elsewhere(contact: Contact, names: _Names, erased: Erased) -> None:
    """Notes on others' calls that hold the id. A name alone may be somebody else's."""
    for note in Note.objects.filter(text__contains=contact.wxid).exclude(call__contact=contact):
        if names.id_in(note.text):
            erased.notes += Note.objects.filter(pk=note.pk).update(text="")
    for follow_up in FollowUp.objects.filter(note__contains=contact.wxid).exclude(contact=contact):
        if names.id_in(follow_up.note):
            erased.notes += FollowUp.objects.filter(pk=follow_up.pk).update(note="")


def _delete_export_files(erased: Erased) -> None:
    """All that were made until now: the contact may be in any of them. Those that are being made are given up."""
    running = Export.objects.filter(state=Export.State.RUNNING)
    running.update(state=Export.State.CANCELLED, finished_at=timezone.now())
    for entry in settings.EXPORT_DIR.glob("*.part"):
        shutil.rmtree(entry, ignore_errors=True)  # what still gets into it goes when its maker finds itself cancelled
    for format in Export.Format:
        for entry in settings.EXPORT_DIR.glob(f"*.{format}"):
            entry.unlink(missing_ok=True)
            erased.files += 1
    Export.objects.exclude(file="").update(file="")


def _empty_log() -> None:
    """SQLite's log of changes holds what was overwritten until it is used anew. Where others read, it isn't waited for."""
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor, contextlib.suppress(OperationalError):
            cursor.execute("PRAGMA busy_timeout = 0")
            try:
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                timeout = connection.settings_dict["OPTIONS"].get("timeout", 5)
                cursor.execute(f"PRAGMA busy_timeout = {round(timeout * 1000)}")
