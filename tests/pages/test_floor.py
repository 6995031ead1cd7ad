"""The floor: what supervisors see of this moment, and where its figures lead."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import cast

import pytest
from django.core.cache import cache
from django.http import HttpResponse
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calls.away import go_away
from calls.live.hub import hub
from calls.live.presence import People
from calls.models import Call, Person

from ..factory import make_account, make_attempt, make_call, make_client, make_contact, make_person, make_team
from .reading import rows, text_of, words_of

pytestmark = pytest.mark.django_db

Role, Outcome = Person.Role, Call.Outcome
MINUTE = timedelta(minutes=1)


@pytest.fixture(autouse=True)
def nobody_is_online() -> Iterator[None]:
    yield
    online()


def online(**looking: int) -> None:
    """As another process tells: people by their username, and the call that each looks at."""
    people = [[Person.objects.get(username=name).pk, *([call] if call else [])] for name, call in looking.items()]
    told: People = {"type": "people", "process": "another", "online": people}
    hub._presence.hear(told)


def floor() -> HttpResponse:
    cache.clear()
    boss = Person.objects.filter(username="boss").first()
    client = make_client(boss or make_person(password=None, role=Role.SUPERVISOR, username="boss"))
    return cast(HttpResponse, client.get("/floor/"))


def figure(page: HttpResponse, name: str) -> tuple[str, str]:
    """What it says, and where it leads."""
    [(href, said)] = re.findall(rf'id="floor{name}" href="([^"]*)">([^<]*)<', text_of(page))
    return said, html.unescape(href)


def rejected_call(account: object, received_at: datetime, after: float, person: Person) -> Call:
    call = make_call(account, received_at, outcome=Outcome.REJECTED, claimed_by=person)
    make_attempt(call, person, started_at=received_at + timedelta(seconds=after), milliseconds=0)
    return call


def test_an_empty_floor_says_nothing() -> None:
    page = floor()
    assert figure(page, "-ringing")[0] == "0"
    assert figure(page, "-rejected")[0] == "0"
    assert "—" in words_of(page)


def test_figures_count_the_last_hour_and_lead_to_its_calls() -> None:
    now, team = timezone.now(), make_team(name="After-sales")
    account, elsewhere, ada = make_account(team=team), make_account(), make_person(team, password=None)
    rejected = [rejected_call(account, now - number * MINUTE, number, ada) for number in (10, 20, 30)]
    rejected_call(account, now - 70 * MINUTE, 1, ada)
    missed = [make_call(account, now - 5 * MINUTE), make_call(elsewhere, now - 50 * MINUTE)]
    make_call(account, now - 65 * MINUTE)
    oldest = make_call(account, now - timedelta(seconds=40))
    make_call(elsewhere, now - timedelta(seconds=20))
    page = floor()
    assert [figure(page, f"-{name}")[0] for name in ("ringing", "rejected", "missed", "median")] == ["2", "3", "2", "20.0 s"]
    assert figure(page, "-longest") == ("0:40", f"/history/{oldest.pk}/")
    assert [figure(page, f"{team.pk}-{name}")[0] for name in ("ringing", "rejected", "missed")] == ["1", "3", "1"]
    assert [figure(page, f"none-{name}")[0] for name in ("ringing", "rejected", "missed")] == ["1", "0", "1"]
    client = make_client(Person.objects.get(username="boss"))

    def led_to(name: str) -> set[int]:
        return set(rows(client.get(figure(page, name)[1])))

    assert led_to("-rejected") == {call.pk for call in rejected}
    assert led_to("-missed") == {call.pk for call in missed}
    assert led_to(f"{team.pk}-missed") == {missed[0].pk}
    assert led_to("none-missed") == {missed[1].pk}


def test_a_teams_people_are_there_with_what_they_do() -> None:
    team = make_team(name="After-sales")
    account = make_account(team=team)
    call = make_call(account, contact=make_contact(account.app, nickname="Mei"))
    ada = make_person(team, password=None, username="ada", name="Ada")
    bea = make_person(team, password=None, username="bea", name="Bea")
    make_person(password=None, role=Role.ADMIN, username="chief", name="Chief")
    make_person(team, password=None, username="cleo", name="Cleo")  # has no page open
    rejected_call(make_account(team=team), timezone.now() - 3 * MINUTE, 2, ada)
    go_away(bea, None)
    online(ada=call.pk, bea=0, chief=0)
    page = floor()
    said = words_of(page)
    assert "Ada looks at Mei last reject" in said
    assert "Bea away" in said
    assert "Bea away no reject lately" in said
    assert "Cleo" not in said
    assert said.index("See all accounts") < said.index("Chief")
    assert "Online 2 1 away" in said


def test_what_somebody_may_not_see_they_are_not_said_to_look_at() -> None:
    call = make_call(make_account(team=make_team()))
    make_person(make_team(), password=None, username="eve", name="Eve")
    online(eve=call.pk)
    assert "looks at" not in words_of(floor())


@pytest.mark.parametrize(("language", "words"), [("zh-hans", "最长响铃"), ("en", "Longest ring")])
def test_it_speaks_the_readers_language(language: str, words: str) -> None:
    client = make_client(make_person(password=None, role=Role.SUPERVISOR), language)
    assert words in words_of(client.get("/floor/"))


def test_htmx_is_answered_with_what_changes() -> None:
    client = make_client(make_person(password=None, role=Role.SUPERVISOR))
    part = text_of(client.get("/floor/", headers={"HX-Request": "true"}))
    assert "<html" not in part
    assert "floor-ringing" in part
    assert part.strip() in text_of(client.get("/floor/"))


def test_agents_are_not_offered_what_is_not_for_them() -> None:
    assert "/floor/" not in text_of(make_client(make_person(password=None)).get("/"))
    assert "/floor/" in text_of(make_client(make_person(password=None, role=Role.SUPERVISOR)).get("/"))


@pytest.mark.parametrize("number", [2, 30])
def test_the_same_is_asked_however_much_there_is(number: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    for place in range(number):
        team = make_team()
        person = make_person(team, password=None, username=f"p{place}")
        rejected_call(make_account(team=team), timezone.now() - MINUTE, 2, person)
    online(**dict.fromkeys((f"p{place}" for place in range(number)), 0))
    client = make_client(make_person(password=None, role=Role.SUPERVISOR))
    with django_assert_num_queries(9):
        client.get("/floor/")
    with django_assert_num_queries(6):  # figures are shared for a moment
        client.get("/floor/")


def test_the_last_hour_is_no_period_of_reports() -> None:
    client = make_client(make_person(password=None))
    assert 'value="1h"' not in text_of(client.get("/reports/"))
    assert 'role="alert"' in text_of(client.get("/reports/?period=1h"))


def test_the_last_hour_is_found_by_a_text_as_well() -> None:
    now = timezone.now()
    account = make_account(name="Xiaolin")
    lately = make_call(account, now - 59 * MINUTE, voipid="424242")
    make_call(account, now - 61 * MINUTE, voipid="4242421")
    client = make_client(make_person(password=None, role=Role.SUPERVISOR))
    assert rows(client.get("/history/?period=1h&q=424242")) == [lately.pk]
