"""Going away, and coming back: by a click, when the time is over, or by acting."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from calls.away import go_away
from calls.models import Call, Person
from calls.vendor.sandbox import Sandbox

from ..factory import make_account, make_app, make_call, make_client, make_person, make_team
from .reading import text_of, words_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


@pytest.mark.parametrize("minutes", [15, 30, 60])
def test_somebody_goes_away_for_a_while(minutes: int) -> None:
    person = make_person(password=None)
    answer = make_client(person).post("/away/", {"minutes": str(minutes)}, headers=HTMX)
    person.refresh_from_db()
    assert person.is_away
    assert person.away_since is not None
    assert person.away_until == person.away_since + timedelta(minutes=minutes)
    assert "You are away, no sound until" in words_of(answer)
    assert " hidden" not in text_of(answer).split(">")[0]


def test_somebody_goes_away_until_they_return() -> None:
    person = make_person(password=None)
    client = make_client(person)
    client.post("/away/", {"minutes": ""}, headers=HTMX)
    person.refresh_from_db()
    assert (person.is_away, person.away_until) == (True, None)
    answer = client.post("/back/", headers=HTMX)
    person.refresh_from_db()
    assert (person.is_away, person.away_since) == (False, None)
    assert " hidden" in text_of(answer).split("<input")[0]


@pytest.mark.parametrize("minutes", ["7", "-15", "15.0", "x", "9" * 400, "\0"])
def test_nobody_goes_away_for_another_time_than_is_offered(minutes: str) -> None:
    person = make_person(password=None)
    assert make_client(person).post("/away/", {"minutes": minutes}, headers=HTMX).status_code == 400
    person.refresh_from_db()
    assert not person.is_away


def test_it_is_over_by_itself_when_the_time_is() -> None:
    person = make_person(password=None)
    go_away(person, 15)
    assert person.is_away
    person.away_until = timezone.now()
    assert not person.is_away


def test_whoever_takes_a_call_is_back() -> None:
    team = make_team()
    person, call = make_person(team, password=None), make_call(make_account(team=team))
    go_away(person, None)
    make_client(person).post(f"/calls/{call.pk}/take/", headers=HTMX)
    person.refresh_from_db()
    assert not person.is_away


def test_whoever_rejects_a_call_is_back(sandbox: Sandbox) -> None:
    sandbox.tokens.append("fixed")
    team = make_team()
    call = make_call(make_account(make_app(base_url=sandbox.url, access_token="fixed"), team=team))
    person = make_person(team, password=None)
    go_away(person, 60)
    make_client(person).post(f"/calls/{call.pk}/reject/", headers=HTMX)
    person.refresh_from_db()
    assert not person.is_away
    assert Call.objects.get(pk=call.pk).outcome == Call.Outcome.REJECTED


def test_reading_is_not_acting() -> None:
    person = make_person(password=None)
    go_away(person, 60)
    client = make_client(person)
    for address in ("/", "/history/", "/reports/"):
        client.get(address)
    person.refresh_from_db()
    assert person.is_away


@pytest.mark.parametrize(("language", "words"), [("zh-hans", "已离开，不响铃"), ("en", "You are away, no sound")])
def test_every_page_says_so_from_the_start(language: str, words: str) -> None:
    person = make_person(password=None)
    client = make_client(person, language)
    assert 'hx-swap="outerHTML" hidden' in text_of(client.get("/"))
    go_away(person, 60)
    page = client.get("/")
    assert words in words_of(page)
    assert 'hx-swap="outerHTML" hidden' not in text_of(page)


def test_without_javascript_one_is_led_to_the_board() -> None:
    client = make_client(make_person(password=None))
    assert client.post("/away/", {"minutes": "15"}).headers["Location"] == "/"
    assert client.post("/back/").headers["Location"] == "/"


@pytest.mark.parametrize("address", ["/away/", "/back/"])
def test_nothing_is_changed_without_the_pages_token(address: str) -> None:
    person = make_person(password=None, role=Person.Role.SUPERVISOR)
    assert make_client(person, enforce_csrf_checks=True).post(address, {"minutes": ""}).status_code == 403
    person.refresh_from_db()
    assert not person.is_away
