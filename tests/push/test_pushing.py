"""Calls are pushed to those who see them and want it, whatever the push service does."""

from __future__ import annotations

import time
from datetime import timedelta

import pytest
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.sessions.backends.db import SessionStore
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.utils import timezone

from calls.models import Call, Person, PushSubscription
from calls.push import pushing as module
from calls.push.pushing import Pushing
from tests.factory import make_account, make_call, make_contact, make_person, make_team
from tests.push_service import Browser, PushService, claims_of, running_push_service
from tests.waiting import eventually


def named_call(person: Person, **fields: object) -> Call:
    account = make_account(name="小林", team=person.teams.get())
    return make_call(account, contact=make_contact(account.app, nickname="王秀英"), **fields)


def agent(**fields: object) -> Person:
    return make_person(make_team(name=str(fields.pop("team", "售后"))), **fields)


def test_a_call_reaches_the_browser_of_who_sees_it(pushing: Pushing, browser: Browser) -> None:
    person = agent()
    browser.subscribe(person)
    call = named_call(person)
    pushing.calls_came([call.pk])
    eventually(lambda: len(browser.requests) == 1)
    assert browser.messages == [
        {
            "call": call.pk,
            "title": "王秀英",
            "body": "Voice · to 小林 (售后)",
            "received": round(call.received_at.timestamp() * 1000),
            "until": round(call.rings_until.timestamp() * 1000),
        }
    ]


def test_the_service_is_shown_who_sends_and_for_how_long_it_matters(
    pushing: Pushing, browser: Browser, service: PushService
) -> None:
    person = agent()
    browser.subscribe(person)
    call = named_call(person)
    pushing.calls_came([call.pk])
    eventually(lambda: len(browser.requests) == 1)
    [request] = browser.requests
    claims = claims_of(request)
    assert (claims["aud"], claims["sub"]) == (service.origin, settings.PUBLIC_URL)
    assert 0 < claims["exp"] - time.time() <= 24 * 3600
    assert 50 <= int(request.headers["TTL"]) <= 60
    assert request.headers["Urgency"] == "high"
    assert request.headers["Topic"] == f"call-{call.pk}"
    assert request.headers["Content-Encoding"] == "aes128gcm"
    assert "王".encode() not in request.body


def test_each_browser_is_told_in_its_own_language(pushing: Pushing, service: PushService) -> None:
    person = agent()
    english, chinese = Browser(service), Browser(service)
    english.subscribe(person, "en")
    chinese.subscribe(person, "zh-hans")
    pushing.calls_came([named_call(person, kind=Call.Kind.VIDEO).pk])
    eventually(lambda: len(service.received) == 2)
    assert english.messages[0]["body"] == "Video · to 小林 (售后)"
    assert chinese.messages[0]["body"] == "视频 · 打给 小林 (售后)"


def test_only_those_are_told_who_see_the_call_at_that_moment(pushing: Pushing, service: PushService) -> None:
    mine, supervisors, others, moved = (Browser(service) for _ in range(4))
    person = agent()
    mine.subscribe(person)
    supervisors.subscribe(make_person(role=Person.Role.SUPERVISOR))
    others.subscribe(agent(team="others"))
    colleague = make_person(person.teams.get())
    moved.subscribe(colleague)
    colleague.teams.clear()
    pushing.calls_came([named_call(person).pk])
    eventually(lambda: len(service.received) == 2)
    pushing.stop()
    assert [len(one.requests) for one in (mine, supervisors, others, moved)] == [1, 1, 0, 0]


def test_nothing_is_pushed_to_who_is_away_until_they_are_back(pushing: Pushing, service: PushService) -> None:
    here, away, back = agent(), agent(team="away"), agent(team="back")
    now = timezone.now()
    Person.objects.filter(pk=away.pk).update(away_since=now, away_until=None)
    Person.objects.filter(pk=back.pk).update(away_since=now - timedelta(hours=1), away_until=now - timedelta(minutes=1))
    browsers = [Browser(service) for _ in range(3)]
    for browser, person in zip(browsers, (here, away, back), strict=True):
        browser.subscribe(person)
    pushing.calls_came([named_call(person).pk for person in (here, away, back)])
    eventually(lambda: len(service.received) == 2)
    pushing.stop()
    assert [len(browser.requests) for browser in browsers] == [1, 0, 1]


def sign_out(person: Person, subscription: PushSubscription) -> None:
    request = HttpRequest()
    request.user = person
    request.session = SessionStore(subscription.session_id)
    logout(request)


def deactivate(person: Person, _: PushSubscription) -> None:
    Person.objects.filter(pk=person.pk).update(is_active=False)


def change_the_password(person: Person, _: PushSubscription) -> None:
    person.set_password("another one")
    person.save()


def demand_another_password(person: Person, _: PushSubscription) -> None:
    Person.objects.filter(pk=person.pk).update(must_change_password=True)


def let_the_sign_in_expire(_: Person, subscription: PushSubscription) -> None:
    Session.objects.filter(pk=subscription.session_id).update(expire_date=timezone.now())


@pytest.mark.parametrize(
    "leave", [sign_out, deactivate, change_the_password, demand_another_password, let_the_sign_in_expire]
)
def test_whoever_is_signed_out_is_told_nothing_more(pushing: Pushing, service: PushService, leave: object) -> None:
    person = agent()
    gone, stays = Browser(service), Browser(service)
    subscription = gone.subscribe(person)
    colleague = make_person(person.teams.get())
    stays.subscribe(colleague)
    leave(person, subscription)  # type: ignore[operator]
    pushing.calls_came([named_call(colleague).pk])
    eventually(lambda: len(stays.requests) == 1)
    pushing.stop()
    assert gone.requests == []
    assert [one.person for one in PushSubscription.objects.all()] == [colleague]


def test_who_rejected_it_is_told_in_place_of_the_call(pushing: Pushing, browser: Browser) -> None:
    person = agent(name="Li Lei")
    browser.subscribe(person)
    call = named_call(person)
    Call.objects.filter(pk=call.pk).update(outcome=Call.Outcome.REJECTED, claimed_by=person)
    pushing.calls_changed([call.pk])
    eventually(lambda: len(browser.requests) == 1)
    [message] = browser.messages
    assert (message["call"], message["body"]) == (call.pk, "Li Lei rejected it.")
    assert "until" not in message
    assert browser.requests[0].headers["Urgency"] == "normal"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"outcome": Call.Outcome.RULE}, "已由规则拒接。"),
        ({"outcome": Call.Outcome.ENDED, "ended_at": timezone.now()}, "来电已结束。"),
        ({"outcome": Call.Outcome.MISSED, "rings_until": timezone.now()}, "未接：已不再响铃。"),
        ({"outcome": Call.Outcome.UNCONFIRMED, "rings_until": timezone.now()}, "已不再响铃。是否已拒接无从得知"),
    ],
)
def test_what_became_of_it_is_told_truthfully(
    pushing: Pushing, browser: Browser, fields: dict[str, object], words: str
) -> None:
    person = agent()
    browser.subscribe(person, "zh-hans")
    pushing.calls_changed([named_call(person, **fields).pk])
    eventually(lambda: len(browser.requests) == 1)
    assert browser.messages[0]["body"].startswith(words)


def test_a_call_that_still_rings_after_a_refused_reject_is_not_told_again(pushing: Pushing, browser: Browser) -> None:
    person = agent()
    browser.subscribe(person)
    ringing, over = named_call(person), named_call(person, outcome=Call.Outcome.RULE)
    pushing.calls_changed([ringing.pk])
    pushing.calls_changed([over.pk])
    eventually(lambda: len(browser.requests) == 1)
    assert browser.messages[0]["call"] == over.pk


def test_a_call_that_came_too_late_to_ring_is_not_told(pushing: Pushing, browser: Browser) -> None:
    person = agent()
    browser.subscribe(person)
    late = named_call(person, received_at=timezone.now() - timedelta(hours=1))
    rings = named_call(person)
    pushing.calls_came([late.pk, rings.pk])
    eventually(lambda: len(browser.requests) == 1)
    assert browser.messages[0]["call"] == rings.pk


def test_the_end_of_the_ring_window_is_told_by_itself(pushing: Pushing, browser: Browser) -> None:
    person = agent()
    browser.subscribe(person)
    call = named_call(person, rings_until=timezone.now() + timedelta(seconds=1.5))
    pushing.calls_came([call.pk])
    eventually(lambda: len(browser.requests) == 2)
    assert [message["body"] for message in browser.messages] == ["Voice · to 小林 (售后)", "Missed: it rings no more."]


def test_a_call_rejected_meanwhile_is_not_told_to_be_missed(pushing: Pushing, browser: Browser) -> None:
    person = agent(name="Li Lei")
    browser.subscribe(person)
    call = named_call(person, rings_until=timezone.now() + timedelta(seconds=1))
    pushing.calls_came([call.pk])
    Call.objects.filter(pk=call.pk).update(outcome=Call.Outcome.REJECTED, claimed_by=person)
    pushing.calls_changed([call.pk])
    eventually(lambda: timezone.now() > call.rings_until)
    last = named_call(person)
    pushing.calls_came([last.pk])
    eventually(lambda: any(message["call"] == last.pk for message in browser.messages))
    assert not any("Missed" in message["body"] for message in browser.messages)


@pytest.mark.parametrize("status", [404, 410, 403])
def test_a_subscription_that_the_service_no_longer_knows_is_removed(
    pushing: Pushing, browser: Browser, service: PushService, status: int
) -> None:
    person = agent()
    browser.subscribe(person)
    service.status = status
    pushing.calls_came([named_call(person).pk])
    eventually(lambda: not PushSubscription.objects.exists())


@pytest.mark.parametrize("status", [400, 413, 429, 500])
def test_another_refusal_costs_nobody_the_subscription(
    pushing: Pushing, browser: Browser, service: PushService, status: int
) -> None:
    person = agent()
    browser.subscribe(person)
    service.status = status
    pushing.calls_came([named_call(person).pk])
    eventually(lambda: len(browser.requests) == 1)
    pushing.stop()
    assert PushSubscription.objects.count() == 1


def test_a_service_that_fails_is_left_alone_and_others_are_not_kept_waiting(
    pushing: Pushing, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("calls.push.delivery.WITHIN", (0.2, 0.2))
    person = agent()
    with running_push_service() as hanging:
        hanging.seconds = 1.0
        for _ in range(6):
            Browser(hanging).subscribe(make_person(person.teams.get()))
        browser.subscribe(person)
        pushing.calls_came([named_call(person).pk])
        eventually(lambda: len(browser.requests) == 1)
        pushing.calls_came([named_call(person).pk])
        eventually(lambda: len(browser.requests) == 2)
        pushing.stop()
        assert len(hanging.received) <= 6


def test_without_subscriptions_calls_are_not_even_noted(pushing: Pushing) -> None:
    pushing.calls_came([make_call().pk])
    eventually(lambda: pushing._nobody_until > time.monotonic())
    pushing.calls_came([make_call().pk])
    assert pushing._noted.empty()


def test_whoever_subscribes_later_is_found(pushing: Pushing, browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NOBODY_FOR", 0.05)
    person = agent()
    pushing.calls_came([named_call(person).pk])
    eventually(lambda: pushing._nobody_until > 0)
    browser.subscribe(person)
    eventually(lambda: time.monotonic() > pushing._nobody_until)
    call = named_call(person)
    pushing.calls_came([call.pk])
    eventually(lambda: len(browser.requests) == 1)
    assert browser.messages[0]["call"] == call.pk


def test_nothing_is_noted_where_nothing_was_started() -> None:
    idle = Pushing()
    idle.calls_came([1])
    assert idle._noted.empty()


def test_a_name_of_a_stranger_is_shortened(pushing: Pushing, browser: Browser) -> None:
    person = agent()
    browser.subscribe(person)
    account = make_account(team=person.teams.get())
    pushing.calls_came([make_call(account, contact=make_contact(account.app, nickname="你" * 200)).pk])
    eventually(lambda: len(browser.requests) == 1)
    assert browser.messages[0]["title"] == "你" * 119 + "…"


def test_a_call_that_is_over_never_rings_afterwards(pushing: Pushing, browser: Browser, service: PushService) -> None:
    person = agent(name="Li Lei")
    browser.subscribe(person)
    call = named_call(person)
    service.seconds = 0.5
    pushing.calls_came([call.pk])
    eventually(lambda: len(browser.requests) == 1)  # which is not answered yet
    Call.objects.filter(pk=call.pk).update(outcome=Call.Outcome.REJECTED, claimed_by=person)
    pushing.calls_changed([call.pk])
    assert len(browser.requests) == 1
    eventually(lambda: len(browser.requests) == 2)
    assert browser.messages[1]["body"] == "Li Lei rejected it."


def test_nothing_is_sent_of_a_call_once_its_ring_window_is_over(
    pushing: Pushing, browser: Browser, service: PushService
) -> None:
    person = agent()
    browser.subscribe(person)
    service.seconds = 1.5
    first, late = named_call(person), named_call(person, rings_until=timezone.now() + timedelta(seconds=1))
    pushing.calls_came([first.pk])
    eventually(lambda: len(browser.requests) == 1)
    pushing.calls_came([late.pk])
    eventually(lambda: len(browser.requests) == 2)
    assert [(one["call"], "until" in one) for one in browser.messages] == [(first.pk, True), (late.pk, False)]
