from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import connections
from django.utils import timezone, translation

from calls import results as results_module
from calls.live import publish
from calls.models import Attempt, Call, Person, VendorApp
from calls.reject import NothingSent, NotOnRecord, reject
from calls.results import record
from calls.templatetags.ringdesk import in_words
from calls.vendor.sandbox import Fault, Sandbox

from .databases import locked_database
from .factory import make_account, make_app, make_attempt, make_call, make_contact, make_person
from .server import free_port
from .threads import at_once

REJECT, TOKEN = "/wechat/handleVoipCall", "/oauth/token"
Outcome, Result, Status = Call.Outcome, Attempt.Result, Call.Status


def call_at(vendor: Sandbox, **fields: Any) -> Call:
    return make_call(make_account(make_app(base_url=vendor.url)), **fields)


def make_agent(**fields: Any) -> Person:
    return make_person(password=None, **fields)


def now_of(call: Call) -> Call:
    """The call as it is stored now."""
    return Call.objects.get(pk=call.pk)


def wait_for(call: Call, on_record: list[tuple[str, str]]) -> None:
    give_up_at = time.monotonic() + 10
    while results(call) != on_record:
        assert time.monotonic() < give_up_at, results(call)
        time.sleep(0.01)


def results(call: Call) -> list[tuple[str, str]]:
    """What is on record of each request to the vendor: result and code."""
    return list(call.attempts.values_list("result", "errcode"))


@dataclass
class Waiting(Sandbox):
    """A vendor that doesn't answer a reject until it is let go."""

    asked: threading.Event = field(default_factory=threading.Event)
    let_go: threading.Event = field(default_factory=threading.Event)

    def answer(self, path: str, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        if path == REJECT:
            self.asked.set()
            self.let_go.wait(4)
        return super().answer(path, body, fault)


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    vendor = Waiting()
    with vendor:
        yield vendor


@contextmanager
def under_way(vendor: Waiting, call: Call, person: Person) -> Iterator[None]:
    """Inside, the vendor has been asked to reject the call and hasn't answered; after it, all is over."""

    def click() -> None:
        try:
            reject(call.pk, person)
        finally:
            connections.close_all()

    clicking = threading.Thread(target=click)
    clicking.start()
    try:
        assert vendor.asked.wait(4)
        yield
    finally:
        vendor.let_go.set()
        clicking.join()


def words(call: Call) -> str:
    last = now_of(call).last_attempt
    assert last
    with translation.override("en"):
        return in_words(last)


# The vendor accepts


@pytest.mark.django_db
def test_a_call_that_the_vendor_accepts_to_reject_is_rejected(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    reject(call.pk, make_agent())
    assert (now_of(call).status, now_of(call).outcome) == (Status.REJECTED, Outcome.REJECTED)


@pytest.mark.django_db
def test_the_click_that_counted_is_told_so(sandbox: Sandbox) -> None:
    assert reject(call_at(sandbox).pk, make_agent()) is True


@pytest.mark.django_db
def test_the_vendor_is_asked_as_its_document_says(sandbox: Sandbox) -> None:
    account = make_account(make_app(base_url=sandbox.url), wxid="1688851873049028")
    contact = make_contact(account.app, wxid="7881302848173300")
    reject(make_call(account, contact=contact, voipid="9007199254740993", kind=Call.Kind.VIDEO).pk, make_agent())
    assert sandbox.rejects == [
        {
            "app_id": "sandbox-app",
            "access_token": sandbox.tokens[0],
            "wxid": "1688851873049028",
            "chat_wxid": "7881302848173300",
            "voipid": 9007199254740993,
            "type": 1,
            "action": "rejectVoiceCall",
        }
    ]


@pytest.mark.django_db
def test_who_when_and_the_raw_answer_are_on_record(sandbox: Sandbox) -> None:
    call, person, before = call_at(sandbox), make_agent(), timezone.now()
    reject(call.pk, person)
    attempt = Attempt.objects.get()
    assert (attempt.call, attempt.person, attempt.result, attempt.errcode) == (call, person, Result.ACCEPTED, "0")
    assert attempt.answer == '{"errcode": 0}'
    assert before <= attempt.started_at <= timezone.now()


@pytest.mark.django_db
def test_how_long_the_vendor_took_is_on_record(sandbox: Sandbox) -> None:
    reject(call_at(sandbox).pk, make_agent())
    assert 0 <= (Attempt.objects.get().milliseconds or -1) < 3000


@pytest.mark.django_db
def test_the_time_to_reject_counts_the_token_that_had_to_be_fetched_first(sandbox: Sandbox) -> None:
    sandbox.misbehave("/oauth/token", "slow")  # 1.5 s
    call = call_at(sandbox)
    reject(call.pk, make_agent())
    took = now_of(call).rejected_after
    assert took is not None
    assert took > timedelta(seconds=1.5)


@pytest.mark.django_db
def test_a_claim_is_given_up_once_the_vendor_has_answered(sandbox: Sandbox) -> None:
    call, person = call_at(sandbox), make_agent()
    reject(call.pk, person)
    assert (now_of(call).claimed_until, now_of(call).claimed_by) == (None, person)


# What goes wrong at the vendor's

FAULTS: list[tuple[Fault, bool, list[tuple[str, str]], str, str, str]] = [
    ("slow", False, [("accepted", "0")], "rejected", "rejected", "Accepted by the vendor."),
    ("hang", False, [("unconfirmed", "")], "unconfirmed", "unconfirmed", "Unconfirmed: the request was sent"),
    ("refused", False, [("refused", "1001")], "refused", "ringing", "the vendor's base service failed (1001). Try again."),
    ("limit", False, [("refused", "407")], "refused", "ringing", "limit of requests (407). Wait a moment, then try again."),
    ("not-allowed", False, [("refused", "113")], "refused", "ringing", "vendor's allowlist (113). Tell an admin."),
    ("token-expired", False, [("refused", "111"), ("accepted", "0")], "rejected", "rejected", "Accepted by the vendor."),
    (
        "token-expired-always", True, [("refused", "111"), ("refused", "111")], "refused", "ringing",
        "the access token has expired (111). Try again.",
    ),
    ("broken", False, [("unconfirmed", "")], "unconfirmed", "unconfirmed", "no clear answer. It may be rejected."),
    ("server-error", False, [("unconfirmed", "")], "unconfirmed", "unconfirmed", "no clear answer. It may be rejected."),
    ("lost", False, [("unconfirmed", "")], "unconfirmed", "unconfirmed", "no clear answer. It may be rejected."),
    ("cut-off", False, [("unconfirmed", "")], "unconfirmed", "unconfirmed", "no clear answer. It may be rejected."),
    ("garbage", False, [("unconfirmed", "")], "unconfirmed", "unconfirmed", "no clear answer. It may be rejected."),
]  # fmt: skip


@pytest.mark.django_db
@pytest.mark.parametrize(("fault", "always", "on_record", "outcome", "status", "said"), FAULTS)
def test_whatever_the_vendor_does_the_record_tells_what_is_known(
    sandbox: Sandbox, fault: Fault, always: bool, on_record: list[tuple[str, str]], outcome: str, status: str, said: str
) -> None:
    call = call_at(sandbox)
    sandbox.misbehave(REJECT, fault, always=always)
    assert reject(call.pk, make_agent()) is True
    assert results(call) == on_record
    assert (now_of(call).outcome, now_of(call).status, now_of(call).claimed_until) == (outcome, status, None)
    assert said in words(call)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fault", "raw"),
    [("broken", '{errcode":0}'), ("server-error", "<html><h1>502 Bad Gateway</h1></html>"), ("lost", "")],
)
def test_an_answer_that_makes_no_sense_is_kept_raw(sandbox: Sandbox, fault: Fault, raw: str) -> None:
    sandbox.misbehave(REJECT, fault)
    reject(call_at(sandbox).pk, make_agent())
    assert Attempt.objects.get().answer == raw


@pytest.mark.django_db
def test_a_refusal_is_kept_with_the_vendors_own_words(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "limit")
    reject(call_at(sandbox).pk, make_agent())
    attempt = Attempt.objects.get()
    assert (attempt.message, attempt.answer) == (
        "request limit exceeded",
        '{"errcode": 407, "message": "request limit exceeded"}',
    )


@pytest.mark.django_db
def test_a_vendor_that_can_not_be_reached_was_not_asked() -> None:
    call = make_call(make_account(make_app(base_url=f"http://127.0.0.1:{free_port()}", access_token="fixed")))
    reject(call.pk, make_agent())
    assert results(call) == [("not_sent", "")] * 3
    assert (now_of(call).outcome, now_of(call).status) == (Outcome.MISSED, Status.RINGING)
    assert words(call) == "Not rejected: the vendor could not be reached. Try again."


@pytest.mark.django_db
def test_a_wrong_secret_is_refused_and_said_in_words(sandbox: Sandbox) -> None:
    call = make_call(make_account(make_app(base_url=sandbox.url, app_secret="wrong")))
    reject(call.pk, make_agent())
    assert results(call) == [("refused", "102")]
    assert (now_of(call).outcome, now_of(call).status) == (Outcome.REFUSED, Status.RINGING)
    assert "the app_secret is wrong (102). Tell an admin." in words(call)
    assert sandbox.rejects == []


# Once more


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["refused", "lost", "broken"])
def test_a_call_can_be_rejected_again_while_it_rings(sandbox: Sandbox, fault: Fault) -> None:
    call, first, second = call_at(sandbox), make_agent(), make_agent()
    sandbox.misbehave(REJECT, fault)
    reject(call.pk, first)
    assert reject(call.pk, second) is True
    assert (now_of(call).outcome, now_of(call).claimed_by) == (Outcome.REJECTED, second)
    assert [attempt.person for attempt in call.attempts.all()] == [first, second]


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fields",
    [
        {"outcome": Outcome.MISSED},
        {"outcome": Outcome.REFUSED},
        {"outcome": Outcome.UNCONFIRMED},
    ],
)
def test_after_the_ring_window_a_click_is_too_late_and_no_request_leaves(sandbox: Sandbox, fields: dict[str, str]) -> None:
    call = call_at(sandbox, rings_until=timezone.now() - timedelta(milliseconds=1), **fields)
    assert reject(call.pk, make_agent()) is False
    assert (sandbox.rejects, sandbox.tokens, results(call)) == ([], [], [])


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.RULE])
def test_a_rejected_call_is_not_rejected_again(sandbox: Sandbox, outcome: Call.Outcome) -> None:
    call = call_at(sandbox, outcome=outcome)
    assert reject(call.pk, make_agent()) is False
    assert (sandbox.rejects, results(call)) == ([], [])


@pytest.mark.django_db
def test_an_ended_call_is_not_rejected(sandbox: Sandbox) -> None:
    call = call_at(sandbox, outcome=Outcome.ENDED, ended_at=timezone.now())
    assert reject(call.pk, make_agent()) is False
    assert (sandbox.rejects, results(call)) == ([], [])


@pytest.mark.django_db
def test_a_call_that_nobody_knows_can_not_be_rejected() -> None:
    assert reject(0, make_agent()) is False


# What was never sent is tried again


@contextmanager
def vendor_starts_after(tries: int, call: Call, vendor: Sandbox) -> Iterator[None]:
    """Inside, a vendor that is away comes back as soon as so many tries of the call have failed."""

    def watch() -> None:
        try:
            wait_for(call, [("not_sent", "")] * tries)
            vendor.start()
        finally:
            connections.close_all()

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield
    finally:
        watching.join()
        vendor.stop()


@pytest.mark.django_db(transaction=True)
def test_a_vendor_that_is_back_in_a_moment_costs_nobody_a_click() -> None:
    vendor = Sandbox(port=free_port())
    call = call_at(vendor)
    with vendor_starts_after(2, call, vendor):
        assert reject(call.pk, make_agent()) is True
    assert results(call) == [("not_sent", ""), ("not_sent", ""), ("accepted", "0")]
    assert now_of(call).outcome == Outcome.REJECTED
    assert len(vendor.rejects) == 1


@pytest.mark.django_db(transaction=True)
def test_a_vendor_that_is_back_and_has_forgotten_its_tokens_is_given_a_new_one() -> None:
    vendor = Sandbox(port=free_port())
    call = call_at(vendor)
    VendorApp.objects.update(token="of before", token_good_until=timezone.now() + timedelta(hours=1))
    with vendor_starts_after(1, call, vendor):
        reject(call.pk, make_agent())
    assert results(call) == [("not_sent", ""), ("refused", "110"), ("accepted", "0")]
    assert [body["access_token"] for body in vendor.rejects] == ["of before", *vendor.tokens]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["ended", "rung out", "claimed by somebody else"])
def test_a_call_that_is_over_or_taken_meanwhile_is_not_tried_again(waiting: Waiting, change: str) -> None:
    """The vendor refuses the token, for which it would be asked again at once."""
    call, now = call_at(waiting), timezone.now()
    waiting.misbehave(REJECT, "token-expired")
    with under_way(waiting, call, make_agent()):
        if change == "ended":
            Call.objects.end(call.account_id, call.voipid, now)
        elif change == "rung out":
            Call.objects.update(rings_until=now)
        else:
            Call.objects.update(claimed_until=now + timedelta(seconds=20))
    assert results(call) == [("refused", "111")]
    assert len(waiting.rejects) == 1


@pytest.mark.django_db
@pytest.mark.parametrize(
    "fault", ["refused", "limit", "not-allowed", "lost", "cut-off", "garbage", "broken", "server-error"]
)
def test_what_the_vendor_may_have_acted_on_is_not_repeated_by_itself(sandbox: Sandbox, fault: Fault) -> None:
    call = call_at(sandbox)
    sandbox.misbehave(REJECT, fault)
    reject(call.pk, make_agent())
    assert (len(sandbox.rejects), call.attempts.count()) == (1, 1)


# A database that is locked


def click_elsewhere(call: Call, person: Person) -> bool:
    """Reject it in a thread, whose connection is a new one and so an impatient one."""
    [counted] = at_once(1, lambda _number: reject(call.pk, person))
    return counted


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_a_claim_that_can_not_be_stored_sends_nothing(sandbox: Sandbox) -> None:
    call, person = call_at(sandbox), make_agent()
    with locked_database(), pytest.raises(NothingSent):
        click_elsewhere(call, person)
    assert (sandbox.rejects, sandbox.tokens, results(call)) == ([], [], [])
    assert now_of(call).status == Status.RINGING
    assert click_elsewhere(call, person) is True


@contextmanager
def answered_into_a_lock(vendor: Waiting, call: Call, person: Person) -> Iterator[Attempt]:
    """Inside, the vendor has answered, and the database is locked: what the click was told of its attempt."""
    with ThreadPoolExecutor(1) as pool:
        clicking = pool.submit(click_elsewhere, call, person)
        assert vendor.asked.wait(4)
        with locked_database():
            vendor.let_go.set()
            with pytest.raises(NotOnRecord) as told:
                clicking.result()
            yield told.value.attempt


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_an_answer_that_can_not_be_stored_is_told_and_stored_later(waiting: Waiting) -> None:
    call, person = call_at(waiting), make_agent()
    with answered_into_a_lock(waiting, call, person) as told:
        assert (told.result, told.errcode) == (Result.ACCEPTED, "0")
        assert results(call) == [("pending", "")]
        assert (now_of(call).outcome, now_of(call).status) == (Outcome.UNCONFIRMED, Status.REJECTING)
    wait_for(call, [("accepted", "0")])
    assert (now_of(call).outcome, now_of(call).claimed_until) == (Outcome.REJECTED, None)
    assert len(waiting.rejects) == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_the_essentials_of_an_answer_that_can_not_be_stored_are_logged(
    waiting: Waiting, caplog: pytest.LogCaptureFixture
) -> None:
    call, person = call_at(waiting), make_agent()
    with answered_into_a_lock(waiting, call, person) as told:
        assert f"call {call.pk}, attempt {told.pk}: accepted, errcode 0, {told.milliseconds} ms" in caplog.text
    record.stop()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_what_was_kept_is_stored_before_the_process_ends(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(results_module, "AGAIN_AFTER", 600)
    call, person = call_at(waiting), make_agent()
    with answered_into_a_lock(waiting, call, person):
        pass
    record.stop()
    assert results(call) == [("accepted", "0")]


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_the_end_does_not_wait_for_a_database_that_stays_locked(waiting: Waiting, caplog: pytest.LogCaptureFixture) -> None:
    call, person = call_at(waiting), make_agent()
    with answered_into_a_lock(waiting, call, person):
        record.stop()
        assert "1 results of rejects are not on record" in caplog.text
    assert now_of(call).outcome == Outcome.UNCONFIRMED


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_a_click_knows_of_an_answer_that_is_not_on_record_yet(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    """The claim has run out while the database was locked; without this the vendor would be asked again."""
    monkeypatch.setattr(results_module, "AGAIN_AFTER", 600)
    call, person = call_at(waiting), make_agent()
    with answered_into_a_lock(waiting, call, person):
        pass
    Call.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    assert click_elsewhere(call, make_agent()) is False
    assert (len(waiting.rejects), results(call)) == (1, [("accepted", "0")])
    record.stop()


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_an_answer_that_is_stored_late_leaves_what_came_after_it(waiting: Waiting, monkeypatch: pytest.MonkeyPatch) -> None:
    """As when another process, which knew nothing of the answer, has claimed the call after ten seconds."""
    monkeypatch.setattr(results_module, "AGAIN_AFTER", 600)
    call, second = call_at(waiting), make_agent()
    waiting.misbehave(REJECT, "refused")
    with answered_into_a_lock(waiting, call, make_agent()):
        pass
    Call.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
    claimed_until = Call.objects.claim(call.pk, second)
    make_attempt(call, second, result=Result.PENDING, errcode="")
    record.stop()
    assert results(call) == [("refused", "1001"), ("pending", "")]
    assert (now_of(call).claimed_until, now_of(call).status) == (claimed_until, Status.REJECTING)


@pytest.mark.django_db(transaction=True)
def test_what_can_never_be_stored_is_given_up(sandbox: Sandbox, caplog: pytest.LogCaptureFixture) -> None:
    call, person = call_at(sandbox), make_agent()
    gone = Attempt(pk=10**9, call=call, person=person, result=Result.ACCEPTED)
    record._keep(results_module.Result(call.pk, timezone.now(), [gone]))
    record.stop()
    assert "the result of a reject can't be put on record" in caplog.text
    assert record.kept_of(call.pk) == []


# One claim of many


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_at_once_make_one_request(sandbox: Sandbox) -> None:
    call, people = call_at(sandbox), [make_agent() for _ in range(20)]
    counted = at_once(20, lambda number: reject(call.pk, people[number]))
    winner = now_of(call).claimed_by
    assert counted == [person == winner for person in people]
    assert len(sandbox.rejects) == 1
    assert [attempt.person for attempt in Attempt.objects.all()] == [winner]


@pytest.mark.django_db
def test_a_call_whose_claim_still_holds_is_left_to_its_holder(sandbox: Sandbox) -> None:
    holder = make_agent()
    call = call_at(
        sandbox,
        outcome=Outcome.UNCONFIRMED,
        claimed_by=holder,
        claimed_until=timezone.now() + timedelta(seconds=5),
    )
    assert reject(call.pk, make_agent()) is False
    assert (sandbox.rejects, now_of(call).claimed_by) == ([], holder)


@pytest.mark.django_db
def test_the_claim_of_a_dead_holder_is_free_after_ten_seconds(sandbox: Sandbox) -> None:
    """The holder claimed it 10 s ago, put the attempt on record, and died before the vendor answered."""
    dead, other = make_agent(), make_agent()
    call = call_at(sandbox)
    claimed_until = Call.objects.claim(call.pk, dead)
    assert claimed_until
    make_attempt(call, dead, result=Result.PENDING, errcode="")
    Call.objects.filter(pk=call.pk).update(claimed_until=claimed_until - timedelta(seconds=10))
    assert reject(call.pk, other) is True
    assert (now_of(call).outcome, now_of(call).claimed_by) == (Outcome.REJECTED, other)
    assert results(call) == [("pending", ""), ("accepted", "0")]


# While the vendor takes its time


@pytest.mark.django_db(transaction=True)
def test_the_attempt_is_on_record_before_the_request_leaves(waiting: Waiting) -> None:
    call, person = call_at(waiting), make_agent()
    with under_way(waiting, call, person):
        assert list(call.attempts.values_list("result", "person")) == [("pending", person.pk)]


@pytest.mark.django_db(transaction=True)
def test_meanwhile_everyone_sees_who_is_rejecting(waiting: Waiting) -> None:
    call, person = call_at(waiting), make_agent()
    with under_way(waiting, call, person):
        assert (now_of(call).status, now_of(call).claimed_by) == (Status.REJECTING, person)


@pytest.mark.django_db(transaction=True)
def test_a_second_click_does_not_wait_for_the_vendor(waiting: Waiting) -> None:
    call, second = call_at(waiting), make_agent()
    with under_way(waiting, call, make_agent()):
        assert reject(call.pk, second) is False
        assert now_of(call).status == Status.REJECTING
    assert len(waiting.rejects) == 1


@pytest.mark.django_db(transaction=True)
def test_an_end_notice_meanwhile_shows_at_once(waiting: Waiting) -> None:
    call = call_at(waiting)
    with under_way(waiting, call, make_agent()):
        Call.objects.end(call.account_id, call.voipid, timezone.now())
        assert now_of(call).status == Status.ENDED


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("faults", "outcome"), [([], Outcome.REJECTED), (["refused"], Outcome.ENDED), (["lost"], Outcome.UNCONFIRMED)]
)
def test_a_call_that_ended_meanwhile_becomes_what_the_vendor_answers(
    waiting: Waiting, faults: list[Fault], outcome: Call.Outcome
) -> None:
    call = call_at(waiting)
    waiting.misbehave(REJECT, *faults)
    with under_way(waiting, call, make_agent()):
        Call.objects.end(call.account_id, call.voipid, timezone.now())
    assert now_of(call).outcome == outcome


@pytest.mark.django_db(transaction=True)
def test_an_answer_after_the_claim_ran_out_leaves_the_claim_of_somebody_else(waiting: Waiting) -> None:
    call, second = call_at(waiting), make_agent()
    waiting.misbehave(REJECT, "refused")
    with under_way(waiting, call, make_agent()):
        Call.objects.update(claimed_until=timezone.now() - timedelta(seconds=1))
        claimed_until = Call.objects.claim(call.pk, second)
        make_attempt(call, second, result=Result.PENDING)
    assert claimed_until
    assert (now_of(call).claimed_until, now_of(call).status) == (claimed_until, Status.REJECTING)


@dataclass
class Sluggish(Sandbox):
    """A vendor that takes this many seconds for every answer."""

    seconds: float = 0

    def answer(self, path: str, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        self.wait(self.seconds)
        return super().answer(path, body, fault)


@pytest.mark.django_db(transaction=True)
def test_a_reject_ends_within_eight_seconds_whatever_the_vendor_does() -> None:
    vendors = [Sandbox(), Sandbox(), Sluggish(seconds=2.2)]
    vendors[0].misbehave(TOKEN, "hang", always=True)
    vendors[1].misbehave(REJECT, "hang", always=True)
    vendors[2].misbehave(REJECT, "token-expired-always", always=True)
    for vendor in vendors:
        vendor.start()
    calls, person = [call_at(vendor) for vendor in vendors], make_agent()

    def seconds_of_a_click(number: int) -> float:
        started = time.monotonic()
        reject(calls[number].pk, person)
        return time.monotonic() - started

    try:
        took = at_once(len(vendors), seconds_of_a_click)
    finally:
        for vendor in vendors:
            vendor.stop()
    assert max(took) < 8
    assert [results(call) for call in calls] == [
        [("not_sent", "")] * 3,
        [("unconfirmed", "")],
        [("refused", "111"), ("unconfirmed", "")],
    ]
    assert [now_of(call).status for call in calls] == [Status.RINGING, Status.UNCONFIRMED, Status.UNCONFIRMED]


# Telling everyone


@pytest.mark.django_db(transaction=True)
async def test_the_claim_and_the_outcome_are_told_to_every_page(sandbox: Sandbox) -> None:
    layer = get_channel_layer()
    assert layer is not None
    channel = await layer.new_channel()
    await layer.group_add(publish.GROUP, channel)

    def click() -> int:
        try:
            pk = call_at(sandbox).pk
            reject(pk, make_agent())
            return pk
        finally:
            connections.close_all()

    pk = await sync_to_async(click)()
    async with asyncio.timeout(5):
        told = [await layer.receive(channel) for _ in range(2)]
    assert [change["calls"] for change in told] == [[pk], [pk]]


@pytest.mark.django_db(transaction=True)
async def test_a_click_that_does_not_count_tells_nobody(sandbox: Sandbox) -> None:
    layer = get_channel_layer()
    assert layer is not None
    channel = await layer.new_channel()
    await layer.group_add(publish.GROUP, channel)

    def click() -> None:
        try:
            reject(call_at(sandbox, outcome=Outcome.REJECTED).pk, make_agent())
        finally:
            connections.close_all()

    await sync_to_async(click)()
    await layer.group_send(publish.GROUP, {"type": "last"})
    async with asyncio.timeout(5):
        assert (await layer.receive(channel))["type"] == "last"
