from __future__ import annotations

import json
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import DataError
from django.utils import timezone
from pytest_django import Settings

from calls import replay as service
from calls.live import publish
from calls.models import Account, Call, Callback, Person, RawNotice, UnreadBody, VendorApp
from calls.receive import Reception
from calls.replay import Tally, replay, replay_all
from calls.senders import Sender
from calls.vendor import envelope
from calls.vendor.sandbox import call_notice, chat_notice

from .factory import AES_KEY, make_account, make_app, make_call, make_contact, make_person
from .threads import at_once

pytestmark = pytest.mark.django_db

Result = Callback.Result
ANOTHER_KEY = "0" * 32
LATE = timedelta(days=2)


def kept(app: VendorApp, body: bytes, rows: int = 1, received_at: datetime | None = None) -> UnreadBody:
    """What ingest keeps of this body with the app's present settings, with rows of the callback log."""
    received_at = received_at or timezone.now() - LATE
    batch = Sender.of(app).open(body, received_at).batch
    pk = Reception().take_in([batch])[0].kept
    assert pk
    for _ in range(rows):
        Callback.objects.create(
            app=app, received_at=received_at, result=Result.UNREADABLE, reason=batch.unread_reason, body_id=pk, callbacks=1
        )
    return UnreadBody.objects.get(pk=pk)


def kept_under_another_key(app: VendorApp, notices: Any, **more: Any) -> UnreadBody:
    """A body as it came, since the app's key was wrong then."""
    app.aes_key = ANOTHER_KEY
    body = kept(app, envelope.seal(notices, envelope.key_bytes(AES_KEY)), **more)
    app.aes_key = AES_KEY
    return body


def moved(notice: dict[str, Any], **names: str) -> dict[str, Any]:
    """The same notice, with values under other names."""
    [item] = notice["data"]
    return notice | {"data": [{names.get(name, name): value for name, value in item.items()}]}


def kept_for_want_of_a_path(app: VendorApp, *notices: Any, **more: Any) -> UnreadBody:
    return kept(app, envelope.seal([*notices], envelope.key_bytes(AES_KEY)), **more)


@pytest.fixture
def app() -> VendorApp:
    return make_app()


@pytest.fixture
def person() -> Person:
    return make_person(password=None)


# What becomes of the calls


def test_a_body_kept_for_a_wrong_key_is_read_with_the_right_one(app: VendorApp, person: Person) -> None:
    body = kept_under_another_key(app, [call_notice("168", "788", 5, 1, nickname="周杰")])
    assert replay(body.pk, person) == Tally(read=1, calls=1)
    call = Call.objects.get()
    assert (call.account.wxid, call.contact.wxid, call.contact.nickname, call.voipid, call.kind) == (
        "168",
        "788",
        "周杰",
        "5",
        1,
    )
    assert not UnreadBody.objects.exists()


def test_notices_kept_for_a_wrong_mapping_are_read_with_the_right_one(app: VendorApp, person: Person) -> None:
    body = kept_for_want_of_a_path(app, moved(call_notice("168", "788", 2**60 + 1), voipid="room"))
    app.voipid_path = "room"
    app.save()
    assert replay(body.pk, person) == Tally(read=1, calls=1)
    assert Call.objects.get().voipid == str(2**60 + 1)


def test_a_replayed_call_keeps_its_notice(app: VendorApp, person: Person) -> None:
    body = kept_under_another_key(app, [call_notice("168", "788", 5), chat_notice("168")])
    replay(body.pk, person)
    assert json.loads(RawNotice.objects.get().body) == call_notice("168", "788", 5)


def test_a_replayed_call_is_missed_since_it_came_and_rings_nobody(app: VendorApp, person: Person) -> None:
    moment = timezone.now() - timedelta(seconds=1)
    body = kept_under_another_key(app, [call_notice("168", "788", 5)], received_at=moment)
    replay(body.pk, person)
    call = Call.objects.get()
    assert (call.received_at, call.rings_until, call.outcome, call.status) == (moment, moment, "missed", "missed")
    assert not Call.objects.active(moment).exists()


def test_a_call_that_is_known_already_changes_nothing_and_is_counted(app: VendorApp, person: Person) -> None:
    account = make_account(app, wxid="168")
    make_call(account, contact=make_contact(app, wxid="788"), voipid="5", outcome="rejected")
    body = kept_under_another_key(app, [call_notice("168", "788", 5)])
    assert replay(body.pk, person) == Tally(read=1, duplicates=1)
    assert Call.objects.get().outcome == "rejected"


@pytest.mark.parametrize(("known", "then"), [("new name", "new name"), ("", "old name")])
def test_a_name_that_is_known_is_not_replaced_by_an_older_one(app: VendorApp, person: Person, known: str, then: str) -> None:
    contact = make_contact(app, wxid="788", nickname=known)
    body = kept_under_another_key(app, [call_notice("168", "788", 5, nickname="old name")])
    assert replay(body.pk, person) == Tally(read=1, calls=1)
    contact.refresh_from_db()
    assert contact.nickname == then


def test_an_end_of_a_call_ends_it_as_of_then(app: VendorApp, person: Person) -> None:
    app.end_path, app.end_values = "state", "over"
    app.save()
    call = make_call(make_account(app, wxid="168"), timezone.now() - LATE, voipid="5")
    moment = call.received_at + timedelta(seconds=20)
    body = kept_under_another_key(app, [call_notice("168", "788", 5, state="over")], received_at=moment)
    assert replay(body.pk, person) == Tally(read=1, ends=1)
    call.refresh_from_db()
    assert (call.ended_at, call.outcome) == (moment, "ended")


@pytest.mark.django_db(transaction=True)
def test_pages_are_told_once_it_is_committed(app: VendorApp, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[list[int]] = []
    monkeypatch.setattr(publish, "calls_changed", lambda pks: told.append([pk for pk in pks if seen_elsewhere(pk)]))
    body = kept_under_another_key(app, [call_notice("168", "788", 5)])
    told.clear()
    replay(body.pk, person)
    assert told == [[Call.objects.get().pk]]


def seen_elsewhere(pk: int) -> bool:
    """Whether another connection sees this call."""
    return at_once(1, lambda _: Call.objects.filter(pk=pk).exists())[0]


# What becomes of the record


def test_the_log_says_who_replayed_it_and_what_was_in_it(app: VendorApp, person: Person) -> None:
    notices = [call_notice("168", "788", 5), call_notice("168", "788", 6), chat_notice("168"), {"type": "contacts"}]
    body = kept_under_another_key(app, notices)
    before = timezone.now()
    replay(body.pk, person)
    row = Callback.objects.get()
    assert (row.result, row.calls, row.duplicates, row.chats, row.others) == (Result.REPLAYED, 2, 0, 1, 1)
    assert (row.replayed_by, row.body, row.reason) == (person, None, "")
    assert row.replayed_at is not None
    assert before <= row.replayed_at <= timezone.now()


def test_of_several_callbacks_with_the_same_body_the_first_counts_what_was_in_it(app: VendorApp, person: Person) -> None:
    body = kept_under_another_key(app, [call_notice("168", "788", 5)], rows=3)
    assert replay(body.pk, person) == Tally(read=1, calls=1)
    rows = Callback.objects.order_by("id")
    assert [(row.result, row.calls) for row in rows] == [(Result.REPLAYED, 1), (Result.REPLAYED, 0), (Result.REPLAYED, 0)]


def test_chat_messages_are_counted_and_not_kept(app: VendorApp, person: Person) -> None:
    body = kept_under_another_key(app, [chat_notice("168", "a secret"), moved(call_notice("168", "788", 5), voipid="room")])
    assert replay(body.pk, person) == Tally(unreadable=1)
    left = UnreadBody.objects.get()
    assert (Callback.objects.get().chats, left.opened, b"secret" in left.content) == (1, True, False)


def test_what_still_makes_no_sense_stays_kept_with_its_reason(app: VendorApp, person: Person) -> None:
    notices = [call_notice("168", "788", 5), call_notice("168", "788", 6, kind=9)]
    body = kept_under_another_key(app, notices)
    assert replay(body.pk, person) == Tally(unreadable=1, calls=1)
    left, row = UnreadBody.objects.get(), Callback.objects.get()
    assert (left.received_at, left.opened) == (body.received_at, True)
    assert left.reason == "the kind is neither 1 (video) nor 2 (voice)"
    assert [notice["data"][0]["voipid"] for notice in json.loads(left.content)] == [6]
    assert (row.body, row.result, row.reason, row.calls, row.replayed_by) == (
        left,
        Result.UNREADABLE,
        left.reason,
        1,
        person,
    )


def test_what_can_be_read_no_better_stays_as_it_is(app: VendorApp, person: Person) -> None:
    body = kept_for_want_of_a_path(app, moved(call_notice("168", "788", 5), voipid="room"))
    assert replay(body.pk, person) == Tally(unreadable=1)
    assert UnreadBody.objects.get() == body
    row = Callback.objects.get()
    assert (row.result, row.body, row.replayed_at) == (Result.UNREADABLE, body, None)


def test_the_reason_is_the_present_one(app: VendorApp, person: Person) -> None:
    body = kept_for_want_of_a_path(app, moved(call_notice("168", "788", 5), voipid="room"))
    app.account_path = "nowhere"
    app.save()
    replay(body.pk, person)
    assert UnreadBody.objects.get().reason == "no account"


def test_one_that_is_gone_is_no_error(person: Person) -> None:
    assert replay(123, person) == Tally()
    assert replay(2**63, person) == Tally()


# What is never done


def test_plain_json_is_read_only_where_the_app_takes_it(app: VendorApp, person: Person) -> None:
    body = kept(app, json.dumps([call_notice("168", "788", 5)]).encode())
    assert replay(body.pk, person) == Tally(unreadable=1)
    assert not Account.objects.exists()
    app.allow_plain_json = True
    app.save()
    assert replay(body.pk, person) == Tally(read=1, calls=1)


def test_what_was_kept_under_another_secret_key_is_counted_and_stays(
    app: VendorApp, person: Person, settings: Settings
) -> None:
    body = kept_under_another_key(app, [call_notice("168", "788", 5)])
    settings.SECRET_KEY = "another"
    assert replay(body.pk, person) == Tally(locked=1)
    assert UnreadBody.objects.get() == body


def test_an_app_whose_key_is_none_costs_no_other(app: VendorApp, person: Person) -> None:
    broken = make_app()
    for each in (broken, app):
        kept_under_another_key(each, [call_notice("168", "788", 5)])
    VendorApp.objects.filter(pk=broken.pk).update(aes_key="short")
    assert replay_all(person) == Tally(read=1, unreadable=1, calls=1)


def test_one_that_cannot_even_be_looked_at_costs_no_other(app: VendorApp, person: Person) -> None:
    too_deep = b"[" * 100_000
    UnreadBody.objects.keep(app.pk, timezone.now(), too_deep, "no account", opened=True)
    kept_under_another_key(app, [call_notice("168", "788", 5)])
    assert replay_all(person) == Tally(read=1, unreadable=1, calls=1)
    assert UnreadBody.objects.get().content == too_deep


def test_one_that_the_database_refuses_costs_no_other(
    app: VendorApp, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As PostgreSQL refuses what SQLite takes."""
    take_in = Reception.take_in

    def refuse_one(self: Reception, batches: Any) -> Any:
        if any(call.voipid == "666" for batch in batches for call in batch.calls):
            raise DataError
        return take_in(self, batches)

    for voipid in (1, 666, 2):
        kept_under_another_key(app, [call_notice("168", "788", voipid)])
    monkeypatch.setattr(Reception, "take_in", refuse_one)
    assert replay_all(person) == Tally(read=2, unreadable=1, calls=2)
    assert [body.reason for body in UnreadBody.objects.all()] == ["it could not be stored: DataError"]
    assert set(Call.objects.values_list("voipid", flat=True)) == {"1", "2"}


# All of them


def test_all_are_replayed_whatever_the_app(app: VendorApp, person: Person) -> None:
    for each in (app, make_app()):
        kept_under_another_key(each, [call_notice("168", "788", 5)])
    kept(app, b"no callback at all")
    assert replay_all(person) == Tally(read=2, unreadable=1, calls=2)


def test_all_of_an_app_are_replayed_and_no_others(app: VendorApp, person: Person) -> None:
    other = make_app()
    for each in (app, other):
        kept_under_another_key(each, [call_notice("168", "788", 5)])
    assert replay_all(person, app) == Tally(read=1, calls=1)
    assert UnreadBody.objects.get().app == other


def test_more_than_one_step_has_all_of_them_once(app: VendorApp, person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BODIES_AT_ONCE", 3)
    for number in range(10):
        kept_under_another_key(app, [call_notice("168", "788", number)])
    assert replay_all(person) == Tally(read=10, calls=10)


def test_large_bodies_come_in_smaller_steps() -> None:
    large = service.BYTES_AT_ONCE
    assert list(service._steps([(1, 10), (2, large), (3, 10), (4, 10), (5, 2 * large)])) == [[1], [2], [3, 4], [5]]


def test_what_there_is_no_time_for_is_left_for_the_next_click(
    app: VendorApp, person: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "ENDS_WITHIN", -1.0)
    kept_under_another_key(app, [call_notice("168", "788", 5)])
    assert replay_all(person) == Tally(left=1)
    assert UnreadBody.objects.count() == 1


# Two people at once


@pytest.mark.django_db(transaction=True)
def test_two_who_replay_the_same_at_once_store_it_once(app: VendorApp) -> None:
    people = [make_person(password=None) for _ in range(4)]
    body = kept_under_another_key(app, [call_notice("168", "788", voipid) for voipid in range(20)])
    tallies = at_once(len(people), lambda number: replay(body.pk, people[number]))
    assert sorted(tally.read for tally in tallies) == [0, 0, 0, 1]
    assert (sum(tally.calls for tally in tallies), Call.objects.count(), Callback.objects.get().calls) == (20, 20, 20)


@pytest.mark.django_db(transaction=True)
def test_two_who_replay_all_at_once_store_each_once(app: VendorApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "BODIES_AT_ONCE", 2)
    people = [make_person(password=None) for _ in range(3)]
    for number in range(12):
        kept_under_another_key(app, [call_notice("168", "788", number)])
    tallies = at_once(len(people), lambda number: replay_all(people[number]))
    assert (sum(tally.read for tally in tallies), sum(tally.calls for tally in tallies)) == (12, 12)
    assert sum(Callback.objects.values_list("calls", flat=True)) == 12
