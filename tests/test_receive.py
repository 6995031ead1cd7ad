"""What becomes of batches: calls, accounts, contacts, ends, and what could not be read."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import Error as DatabaseError
from django.db import connection

from calls.models import Account, Call, Contact, RawNotice, UnreadBody, VendorApp
from calls.receive import Batch, Receipt, Reception
from calls.vendor.notices import EndedCall, IncomingCall

from .factory import make_account, make_app, make_call, make_contact

pytestmark = pytest.mark.django_db

ACCOUNT = "1688851873049028"
CONTACT = "7881302848173300"


def incoming(voipid: str = "161288067", **fields: Any) -> IncomingCall:
    return IncomingCall(**{"account": ACCOUNT, "contact": CONTACT, "voipid": voipid, "kind": 2} | fields)


def batch(app: VendorApp, *calls: IncomingCall, ends: Sequence[EndedCall] = (), **fields: Any) -> Batch:
    return Batch(app.pk, fields.pop("received_at", datetime.now(UTC)), app.ring_seconds, calls, ends, **fields)


def take_in(*batches: Batch) -> list[Receipt]:
    return Reception().take_in(batches)


def test_a_call_is_stored_with_all_that_was_said_of_it() -> None:
    app = make_app(ring_seconds=45)
    received_at = datetime(2024, 2, 29, 23, 59, 59, 123456, UTC)
    (receipt,) = take_in(batch(app, incoming(kind=1, nickname="陈经理"), received_at=received_at))
    call = Call.objects.get(pk__in=receipt.stored)
    assert (call.voipid, call.kind, call.received_at) == ("161288067", 1, received_at)
    assert call.rings_until == received_at + timedelta(seconds=45)
    assert (call.account.app, call.account.wxid) == (app, ACCOUNT)
    assert (call.contact.app, call.contact.wxid, call.contact.nickname) == (app, CONTACT, "陈经理")


def test_a_new_call_rings() -> None:
    take_in(batch(make_app(), incoming()))
    call = Call.objects.get()
    assert (call.status, call.outcome, call.claimed_by, call.ended_at) == ("ringing", "missed", None, None)


def test_a_call_pushed_5_times_in_one_batch_is_stored_once() -> None:
    (receipt,) = take_in(batch(make_app(), *[incoming()] * 5))
    assert (len(receipt.stored), receipt.duplicates) == (1, 4)
    assert Call.objects.count() == 1


def test_a_call_pushed_5_times_in_batches_of_one_group_is_stored_once() -> None:
    receipts = take_in(*[batch(make_app(), incoming())] * 5)
    assert [(len(receipt.stored), receipt.duplicates) for receipt in receipts] == [(1, 0)] + [(0, 1)] * 4


def test_a_call_pushed_again_later_is_stored_once() -> None:
    app, reception = make_app(), Reception()
    receipts = [reception.take_in([batch(app, incoming())])[0] for _ in range(5)]
    assert sum(len(receipt.stored) for receipt in receipts) == 1


def test_a_call_pushed_again_after_a_restart_is_stored_once() -> None:
    app = make_app()
    assert [len(take_in(batch(app, incoming()))[0].stored) for _ in range(2)] == [1, 0]


def test_a_call_pushed_again_stays_as_it_is() -> None:
    call = make_call(received_at=datetime(2024, 1, 1, tzinfo=UTC), kind=1, outcome="rejected")
    before = Call.objects.values().get()
    take_in(batch(call.account.app, incoming(call.voipid, account=call.account.wxid, contact=call.contact.wxid)))
    assert Call.objects.values().get() == before


def test_the_same_call_id_on_another_account_is_another_call() -> None:
    take_in(batch(make_app(), incoming(account="111"), incoming(account="222")))
    assert Call.objects.count() == 2


def test_the_same_account_and_call_id_at_another_app_is_another_call() -> None:
    take_in(batch(make_app(), incoming()), batch(make_app(), incoming()))
    assert Call.objects.count() == Account.objects.count() == Contact.objects.count() == 2


@pytest.mark.parametrize("voipid", ["18446744073709551617", "00161288067", "call-7f3a", "9" * 64])
def test_a_call_id_is_stored_to_the_last_digit(voipid: str) -> None:
    take_in(batch(make_app(), incoming(voipid)))
    assert Call.objects.get().voipid == voipid


def test_an_account_never_seen_is_made_without_a_team_or_a_name() -> None:
    received_at = datetime(2024, 1, 1, tzinfo=UTC)
    take_in(batch(make_app(), incoming(), received_at=received_at))
    account = Account.objects.get()
    assert (account.wxid, account.team, account.name, account.created_at) == (ACCOUNT, None, "", received_at)


def test_a_known_account_keeps_its_name_and_team() -> None:
    account = make_account(name="小林")
    take_in(batch(account.app, incoming(account=account.wxid)))
    assert Call.objects.get().account == account
    account.refresh_from_db()
    assert account.name == "小林"


def test_a_nickname_is_brought_up_to_date() -> None:
    app, reception = make_app(), Reception()
    for voipid, nickname in enumerate(["陈经理", "陈总"]):
        reception.take_in([batch(app, incoming(str(voipid), nickname=nickname))])
    assert Contact.objects.get().nickname == "陈总"


def test_a_nickname_is_brought_up_to_date_after_a_restart() -> None:
    contact = make_contact(make_app(), nickname="陈经理")
    take_in(batch(contact.app, incoming(contact=contact.wxid, nickname="陈总")))
    assert Contact.objects.get().nickname == "陈总"


def test_a_nickname_stays_where_a_later_call_has_none() -> None:
    app, reception = make_app(), Reception()
    for voipid, nickname in enumerate(["陈经理", ""]):
        reception.take_in([batch(app, incoming(str(voipid), nickname=nickname))])
    assert Contact.objects.get().nickname == "陈经理"


def test_a_nickname_stays_where_the_first_call_after_a_restart_has_none() -> None:
    contact = make_contact(make_app(), nickname="陈经理")
    take_in(batch(contact.app, incoming(contact=contact.wxid)))
    assert Contact.objects.get().nickname == "陈经理"


@pytest.mark.parametrize(
    "nickname", ["<script>alert(1)</script>", "长" * 200, "\u202eevil", "a\ufffdb", "' OR 1=1; --", "%s %(x)s"]
)
def test_a_hostile_nickname_is_stored_as_text(nickname: str) -> None:
    take_in(batch(make_app(), incoming(nickname=nickname)))
    assert Contact.objects.get().nickname == nickname


def test_an_end_ends_its_call() -> None:
    call = make_call()
    now = datetime.now(UTC)
    (receipt,) = take_in(batch(call.account.app, ends=[EndedCall(call.account.wxid, call.voipid)], received_at=now))
    assert receipt.ended == [call.pk]
    ended = Call.objects.get()
    assert (ended.status, ended.outcome, ended.ended_at, ended.version) == ("ended", "ended", now, call.version + 1)


def test_an_end_beside_its_call_ends_it() -> None:
    (receipt,) = take_in(batch(make_app(), incoming(), ends=[EndedCall(ACCOUNT, "161288067")]))
    assert receipt.ended == receipt.stored
    assert Call.objects.get().status == "ended"


def test_an_end_before_its_call_makes_no_call_and_stops_none() -> None:
    app = make_app()
    (receipt,) = take_in(batch(app, ends=[EndedCall(ACCOUNT, "161288067")]))
    assert receipt == Receipt()
    take_in(batch(app, incoming()))
    assert Call.objects.get().status == "ringing"


def test_a_second_end_changes_nothing() -> None:
    call = make_call()
    end = EndedCall(call.account.wxid, call.voipid)
    first, second = take_in(batch(call.account.app, ends=[end]), batch(call.account.app, ends=[end]))
    assert (first.ended, second.ended) == ([call.pk], [])


def test_an_end_leaves_a_rejected_call_rejected() -> None:
    call = make_call(outcome="rejected")
    take_in(batch(call.account.app, ends=[EndedCall(call.account.wxid, call.voipid)]))
    ended = Call.objects.get()
    assert (ended.outcome, ended.status) == ("rejected", "rejected")
    assert ended.ended_at is not None


def test_an_end_at_another_app_ends_nothing() -> None:
    call = make_call()
    take_in(batch(make_app(), ends=[EndedCall(call.account.wxid, call.voipid)]))
    assert Call.objects.get().ended_at is None


def test_what_could_not_be_read_is_kept_with_why_and_when() -> None:
    app = make_app()
    received_at = datetime(2024, 1, 1, tzinfo=UTC)
    take_in(batch(app, unread=b"\x00\xff body", unread_reason="no call id", received_at=received_at))
    kept = UnreadBody.objects.get()
    assert (kept.app, kept.content, kept.reason, kept.received_at) == (app, b"\x00\xff body", "no call id", received_at)


def test_what_is_kept_is_nowhere_in_the_clear() -> None:
    secret = b"the customer's own words"
    kept = UnreadBody.objects.keep(make_app().pk, datetime.now(UTC), secret, "no call id")
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM calls_unreadbody")
        stored = repr(cursor.fetchall())
    assert "no call id" in stored
    assert secret.decode() not in stored
    assert kept.content == secret


def test_a_reason_of_any_length_is_cut_to_what_fits() -> None:
    take_in(batch(make_app(), unread=b"x", unread_reason="r" * 5000))
    assert UnreadBody.objects.get().reason == "r" * 300


@pytest.mark.django_db(transaction=True)
def test_a_group_is_stored_whole_or_not_at_all() -> None:
    app = make_app()
    gone = Batch(app.pk + 1000, datetime.now(UTC), 60, [incoming("2")])
    with pytest.raises(DatabaseError):
        take_in(batch(app, incoming("1")), gone)
    assert not Call.objects.exists()
    assert not Account.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_ids_of_what_was_rolled_back_are_forgotten() -> None:
    app, reception = make_app(), Reception()
    gone = Batch(app.pk + 1000, datetime.now(UTC), 60, [incoming("2")])
    with pytest.raises(DatabaseError):
        reception.take_in([batch(app, incoming("1")), gone])
    (receipt,) = reception.take_in([batch(app, incoming("1"))])
    assert Call.objects.get().pk == receipt.stored[0]


def test_each_new_call_of_a_group_keeps_its_notice_and_when_it_came() -> None:
    app, earlier, later = make_app(), datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, 3, 4, 5, 678901, UTC)
    take_in(
        batch(app, incoming("1", raw='{"a":1}'), incoming("2", raw='{"b":"汉字"}'), received_at=earlier),
        batch(app, incoming("3", raw='{"c":3}'), received_at=later),
    )
    kept = RawNotice.objects.order_by("call__voipid").values_list("call__voipid", "received_at", "body")
    assert list(kept) == [("1", earlier, '{"a":1}'), ("2", earlier, '{"b":"汉字"}'), ("3", later, '{"c":3}')]


def test_a_call_pushed_again_keeps_its_first_notice() -> None:
    app = make_app()
    take_in(batch(app, incoming(raw="first"), incoming(raw="again")))
    take_in(batch(app, incoming(raw="and again")))
    assert RawNotice.objects.get().body == "first"


def test_a_call_without_a_notice_is_stored_all_the_same() -> None:
    take_in(batch(make_app(), incoming()))
    assert Call.objects.count() == 1
    assert not RawNotice.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_no_notice_of_a_group_that_was_rolled_back_is_kept_with_a_later_one() -> None:
    app, reception = make_app(), Reception()
    gone = Batch(app.pk + 1000, datetime.now(UTC), 60, [incoming("2", raw="lost")])
    with pytest.raises(DatabaseError):
        reception.take_in([batch(app, incoming("1", raw="lost")), gone])
    reception.take_in([batch(app, incoming("1", raw="kept"))])
    assert [notice.body for notice in RawNotice.objects.all()] == ["kept"]
