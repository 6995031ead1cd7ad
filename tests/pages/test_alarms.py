from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calls import backlog
from calls.models import AccountTraffic, AnswerTime, Callback, Person, UnreadBody, VendorApp
from calls.models.traffic import SLOWEST, slot_of
from calls.vendor import envelope
from calls.vendor.sandbox import call_notice
from dashboard.pages.alarms import ACCOUNTS_NAMED

from ..factory import AES_KEY, make_account, make_app, make_call, make_calls, make_client, make_person
from .reading import HARMLESS, HOSTILE, text_of, words_of

pytestmark = pytest.mark.django_db

Role = Person.Role


def supervisor() -> Client:
    return make_client(make_person(password=None, role=Role.SUPERVISOR))


def alarms(client: Client | None = None) -> Any:
    return (client or supervisor()).get("/alarms/", headers={"HX-Request": "true"})


def answered(app: VendorApp, within: int, callbacks: int) -> None:
    AnswerTime.objects.create(app=app, slot=slot_of(timezone.now(), AnswerTime.SLOT), within=within, callbacks=callbacks)


def slots_until(until: datetime, length: timedelta, days: int = 28) -> list[datetime]:
    """Every slot of so many days."""
    end = slot_of(until, length)
    return [end - number * length for number in range(int(timedelta(days=days) / length))]


def silent_app(name: str) -> VendorApp:
    app = make_app(name=name)
    slots = slots_until(timezone.now() - timedelta(hours=3), AnswerTime.SLOT)
    AnswerTime.objects.bulk_create(AnswerTime(app=app, slot=slot, within=5, callbacks=1) for slot in slots)
    return app


def silent_account(app: VendorApp, name: str) -> None:
    account = make_account(app, name=name)
    slots = slots_until(timezone.now() - timedelta(hours=6), AccountTraffic.SLOT)
    AccountTraffic.objects.bulk_create(AccountTraffic(account=account, slot=slot, notices=1) for slot in slots)


def app_with_traffic() -> VendorApp:
    app = make_app()
    slots = slots_until(timezone.now(), AnswerTime.SLOT)
    AnswerTime.objects.bulk_create(AnswerTime(app=app, slot=slot, within=5, callbacks=1) for slot in slots)
    return app


def ringing_for(seconds: float, **fields: Any) -> None:
    moment = timezone.now() - timedelta(seconds=seconds)
    make_call(received_at=moment, **fields)


def test_while_nothing_is_wrong_nothing_is_said() -> None:
    app_with_traffic()
    ringing_for(1)
    assert words_of(alarms()) == ""


def test_a_call_on_nobodys_screen_is_said_with_the_way_to_it() -> None:
    ringing_for(10)
    page = alarms()
    assert "1 call rings and is on nobody's screen, since" in words_of(page)
    assert 'href="/"' in text_of(page)


def test_calls_on_nobodys_screen_are_counted() -> None:
    make_calls(3, received_at=timezone.now() - timedelta(seconds=10))
    assert "3 calls ring and are on nobody's screen, the first since" in words_of(alarms())


def test_a_call_that_was_shown_or_is_over_is_no_alarm() -> None:
    ringing_for(10, shown_at=timezone.now())
    ringing_for(100)
    assert words_of(alarms()) == ""


def test_a_budget_that_gets_tight_is_said_in_figures() -> None:
    app = make_app(name="Main")
    answered(app, SLOWEST, 137)
    answered(app, 1000, 300)
    words = words_of(alarms())
    assert "Main : of the vendor's 1,000 late answers a day, over 1 s each, 137 are used up;" in words
    assert "; 437 answers took over 500 ms, the late ones among them." in words


def test_lost_callbacks_are_said_with_the_way_to_them() -> None:
    app = make_app(name="Main")
    Callback.objects.create(app=app, received_at=timezone.now(), result="not_stored", callbacks=2)
    page = alarms()
    assert "Main : 2 callbacks were lost today, since they could not be stored." in words_of(page)
    assert f'href="/callbacks/?result=not_stored&amp;app={app.pk}"' in text_of(page)


def refused(app: VendorApp, result: str, callbacks: int) -> None:
    Callback.objects.create(app=app, received_at=timezone.now(), result=result, callbacks=callbacks)


def test_callbacks_from_addresses_that_are_not_allowed_are_said_with_the_way_to_them() -> None:
    app = make_app(name="Main")
    refused(app, "not_admitted", 7)
    refused(make_app(), "unknown", 7)
    page = alarms()
    assert "Main : 7 callbacks from addresses that are not allowed were refused today." in words_of(page)
    assert words_of(page).count("Callback log") == 1
    assert f'href="/callbacks/?result=not_admitted&amp;app={app.pk}"' in text_of(page)


@pytest.mark.parametrize(("role", "led"), [(Role.SUPERVISOR, False), (Role.ADMIN, True)])
def test_those_who_can_allow_an_address_are_led_to_where(role: Person.Role, led: bool) -> None:
    app = make_app()
    refused(app, "not_admitted", 1)
    page = text_of(alarms(make_client(make_person(password=None, role=role))))
    assert (f'href="/admin/calls/vendorapp/{app.pk}/change/"' in page) == led


def test_callbacks_that_are_too_large_are_said_with_the_way_to_them() -> None:
    app = make_app(name="Main")
    refused(app, "too_large", 1)
    page = alarms()
    assert "Main : 1 callback over 1 MiB was refused today." in words_of(page)
    assert f'href="/callbacks/?result=too_large&amp;app={app.pk}"' in text_of(page)


@pytest.fixture
def nothing_waits() -> Iterator[None]:
    yield
    backlog.note(0)


@pytest.mark.usefixtures("nothing_waits")
def test_what_waits_for_the_database_is_said_at_once_and_no_longer_than_it_does() -> None:
    app_with_traffic()
    client = supervisor()
    assert words_of(alarms(client)) == ""
    backlog.note(12)
    assert "12 callbacks wait for the database since" in words_of(alarms(client))
    backlog.note(13)
    assert "13 callbacks wait for the database since" in words_of(alarms(client))
    backlog.note(0)
    assert words_of(alarms(client)) == ""


@pytest.mark.usefixtures("nothing_waits")
def test_what_waits_is_said_while_the_database_takes_nothing() -> None:
    client = supervisor()
    backlog.note(1)
    with connection.execute_wrapper(only_reading):
        assert "1 callback waits for the database since" in words_of(alarms(client))


def only_reading(execute: Callable[..., Any], sql: str, *rest: Any) -> Any:
    """A database that takes nothing."""
    if not sql.startswith("SELECT"):
        raise OperationalError("it takes nothing")
    return execute(sql, *rest)


@pytest.mark.usefixtures("nothing_waits")
def test_nobody_is_said_to_be_silent_while_callbacks_wait() -> None:
    silent_app("Main")
    backlog.note(1)
    assert "Nothing since" not in words_of(alarms())


def test_an_app_that_has_fallen_silent_is_said_with_what_is_normal() -> None:
    silent_app("Main")
    words = words_of(alarms())
    assert "Main · Nothing since" in words
    assert "On each of the last" in words
    assert "Check the callback address at the vendor's" in words


def test_silent_accounts_are_named_and_many_of_them_counted() -> None:
    app = app_with_traffic()
    for number in range(ACCOUNTS_NAMED + 2):
        silent_account(app, f"account {number}")
    words = words_of(alarms())
    assert words.count("Check at the vendor's whether this account is online.") == ACCOUNTS_NAMED
    assert "2 more accounts are silent." in words


def test_callbacks_that_came_today_and_could_not_be_read_are_said_with_the_way_to_them() -> None:
    app = make_app()
    for content, age in ((b"1", 0), (b"2", 0), (b"3", 48)):
        UnreadBody.objects.keep(app.pk, timezone.now() - timedelta(hours=age), content, "no account")
    page = alarms()
    assert "2 callbacks of today could not be read and are kept." in words_of(page)
    assert 'href="/callbacks/#kept"' in text_of(page)


def test_what_was_replayed_is_no_alarm_any_more() -> None:
    app = make_app()
    body = envelope.seal([call_notice("168", "788", 5)], envelope.key_bytes(AES_KEY))
    UnreadBody.objects.keep(app.pk, timezone.now(), body, "no account")
    client = supervisor()
    assert "could not be read" in words_of(alarms(client))
    client.post("/unread/replay/")
    assert words_of(alarms(client)) == ""


def test_names_are_not_taken_for_html() -> None:
    app = make_app(name=HOSTILE[:60])
    answered(app, SLOWEST, 100)
    page = text_of(alarms())
    assert "<script>" not in page
    assert HARMLESS[:30] in page


# Who asks


@pytest.mark.parametrize(("role", "asks"), [(Role.AGENT, False), (Role.SUPERVISOR, True), (Role.ADMIN, True)])
@pytest.mark.parametrize("address", ["/", "/history/"])
def test_every_page_of_those_who_see_to_it_asks(role: Person.Role, asks: bool, address: str) -> None:
    page = text_of(make_client(make_person(password=None, role=role)).get(address))
    assert ('hx-get="/alarms/"' in page) == asks


def test_nobody_asks_before_they_chose_a_password() -> None:
    person = make_person(password=None, role=Role.ADMIN, must_change_password=True)
    assert 'hx-get="/alarms/"' not in text_of(make_client(person).get("/password/"))


def test_who_was_signed_out_meanwhile_is_led_to_the_sign_in() -> None:
    assert alarms(make_client()).headers["HX-Redirect"] == "/login/"


# What it costs


@pytest.mark.parametrize("number", [10, 1000])
def test_asking_again_takes_the_same_few_queries(number: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_calls(number, received_at=timezone.now() - timedelta(seconds=10))
    client = supervisor()
    alarms(client)
    with django_assert_num_queries(3):  # session, person, calls that nobody sees
        alarms(client)
