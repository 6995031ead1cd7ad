"""An installation with something in every table, and much of it odd."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from django.conf import settings
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.auth.models import Group, Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.utils import timezone

from calls import rollups, search, vault
from calls.models import (
    AccountTraffic,
    AnswerTime,
    Avatar,
    Call,
    Callback,
    Contact,
    Export,
    Note,
    NoticeSample,
    Person,
    Purge,
    PushSubscription,
    RawNotice,
    Reason,
    SavedView,
    UnreadBody,
    VendorApp,
)

from ..factory import (
    make_account,
    make_app,
    make_attempt,
    make_call,
    make_client,
    make_contact,
    make_follow_up,
    make_person,
    make_team,
)

CALLS = 300
LARGEST_ID = 9_000_000_000  # of a note that is gone
ODD = "\\N\t\\t \r\n\v\f\b é 李雷 🙂 ' \" \x01\x7f\ufffe"
MOMENTS = [
    datetime(2026, 3, 4, 5, 6, 7, microsecond, tzinfo=UTC) for microsecond in (0, 1, 10, 123_000, 123_456, 999_999)
]  # SQLite has them as text, and leaves zeros out only where there is nothing else


def fill() -> None:
    """Make it in the database that Ringdesk is set to, and print the session key of a supervisor who is signed in."""
    call_command("migrate", verbosity=0)
    call_command("make_history", calls=CALLS, days=30, seed=1, verbosity=0)
    app = make_app(name="main", callback_secret="moving", token_good_until=MOMENTS[4], allow_plain_json=True)
    team = make_team(name="售后")
    supervisor = make_person(team, username="reader", role=Person.Role.SUPERVISOR)
    call = _calls(app, supervisor)
    _what_came(app, call)
    _what_people_did(supervisor, call)
    _what_nobody_uses(supervisor)
    search.rebuild()
    rollups.rebuild()
    Contact.objects.filter(pk=call.contact.pk).update(nickname=ODD[::-1])  # is to be indexed again
    client = make_client(supervisor)
    print(client.cookies[settings.SESSION_COOKIE_NAME].value)


def _calls(app: VendorApp, person: Person) -> Call:
    account = make_account(app, name=ODD)
    for moment in MOMENTS:
        call = make_call(
            account,
            moment,
            contact=make_contact(app, nickname=ODD, remark=ODD, tags=[ODD[:20], "", '"'], mark="important"),
            voipid=str(2**64 + moment.microsecond),
            called_at=moment - timedelta(microseconds=1),
            screens=None,
        )
        make_attempt(call, person, message=ODD, answer='{"errcode": 0, "errmsg": "\\u0000 ok"}', started_at=moment)
    for version, picture in (("", b""), ("v1", bytes(range(256)))):
        contact = make_contact(app, changed_by=person, changed_at=MOMENTS[4], ask_after=MOMENTS[5])
        Avatar.objects.create(contact=contact, address=ODD, tried_at=MOMENTS[3], version=version, picture=picture)
    RawNotice.objects.create(call=call, received_at=call.received_at, body='{"nickname": "\\ud83d"}')
    return call


def _what_came(app: VendorApp, call: Call) -> None:
    everything = bytes(range(256))
    kept = UnreadBody.objects.keep(app.pk, MOMENTS[4], everything, ODD)
    UnreadBody.objects.create(app=app, received_at=MOMENTS[0], body=b"", reason="empty")
    UnreadBody.objects.create(app=app, received_at=MOMENTS[0], body=everything, reason="as it is")
    Callback.objects.create(app=app, received_at=MOMENTS[4], result=Callback.Result.UNREADABLE, body=kept, spooled=True)
    NoticeSample.objects.create(app=app, received_at=MOMENTS[3], form="f" * 64, body=vault.seal(everything))
    AnswerTime.objects.create(app=app, slot=MOMENTS[0], within=32767, callbacks=2**31 - 1)
    AccountTraffic.objects.create(account=call.account, slot=MOMENTS[0], notices=3)


def _what_people_did(person: Person, call: Call) -> None:
    make_follow_up(call, added_by=person, done_at=MOMENTS[4], done_by=person, note=ODD)
    make_follow_up(call, taken_by=person, taken_at=MOMENTS[5])
    for text in ("", "NULL", r"\N", ODD):
        Note.objects.create(call=call, person=person, written_at=MOMENTS[1], text=text)
    Note.objects.create(pk=LARGEST_ID, call=call, person=person, written_at=MOMENTS[1], text="gone").delete()
    SavedView.objects.create(owner=person, name=ODD[:20], query="q=%E6%9D%8E")
    keys = {"endpoint": "https://push.example.com/a", "p256dh": "p", "auth": "a"}
    PushSubscription.objects.keep(person, str(make_client(person).session.session_key), "en", **keys)
    Export.objects.create(
        person=person, requested_at=MOMENTS[2], format="csv", language="en", zone="UTC", accounts=[3, 1, 2**62], file="a.csv"
    )
    Reason.objects.create(text=ODD[:20], place=32767)
    Purge.objects.create(day=date(2026, 3, 4), what=Purge.What.NOTES, before=MOMENTS[5], removed=7)


def _what_nobody_uses(person: Person) -> None:
    """Tables that come with Django."""
    LogEntry.objects.create(
        user=person,
        content_type=ContentType.objects.get_for_model(Call),
        object_id="1",
        object_repr=ODD,
        action_flag=CHANGE,
        action_time=timezone.now(),
    )
    group = Group.objects.create(name="a group")
    group.permissions.set(Permission.objects.all()[:3])
