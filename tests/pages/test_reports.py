from __future__ import annotations

import html
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils import timezone

from calls import rollups
from calls.models import Call, Person
from calls.models.person import Sight
from dashboard.pages.history_filter import CallFilter

from ..factory import make_account, make_app, make_attempt, make_call, make_client, make_contact, make_person, make_team
from .reading import text_of

pytestmark = pytest.mark.django_db

Role, Outcome, Kind = Person.Role, Call.Outcome, Call.Kind
SECTIONS = ("", "delays/", "breakdown/", "callers/")
HTMX = {"HX-Request": "true"}
SHANGHAI = "Asia/Shanghai"


def supervisor(zone: str = SHANGHAI, language: str = "en") -> Client:
    client = make_client(make_person(password=None, role=Role.SUPERVISOR), language)
    client.cookies["timezone"] = zone
    return client


def report(client: Client | None = None, section: str = "", **query: Any) -> Any:
    page = (client or supervisor()).get(f"/reports/{section}", query)
    assert page.status_code == 200
    return page


def days(first: str, last: str) -> dict[str, str]:
    return {"from": first, "to": last}


def figures(page: Any) -> list[tuple[str, int]]:
    """Every link into history, with the number that it stands on; of a drawn one that in its title."""
    text = text_of(page)
    found = re.findall(r'<a href="(/history/\?[^"]*)"(?: data-number="(\d+)")?>(.*?)</a>', text, re.S)
    assert len(found) == text.count('<a href="/history/?')
    return [(html.unescape(href), int(said_number or _number_in(inside))) for href, said_number, inside in found]


def _number_in(inside: str) -> int:
    title = re.search(r"<title>.*: ([\d,]+) calls?</title>", inside)
    return int((title[1] if title else inside).replace(",", ""))


def listed(href: str, zone: str, sight: Sight | None = None) -> int:
    """How many calls history finds at this address."""
    sight = sight or Sight(all=True)
    query = QueryDict(urlsplit(href).query)
    with timezone.override(ZoneInfo(zone)):
        found = CallFilter(query, Call.objects.seen_by(sight), sight)
        assert found.is_valid(), (href, found.errors)
        return found.qs.count()


def a_busy_week(first: datetime) -> None:
    """Calls of every outcome in two teams and in none, at hours spread over a week; some still ring."""
    app = make_app()
    teams = [make_team(name="East"), make_team(name="West"), None]
    accounts = [make_account(app, team=team, name=f"line {number}") for number, team in enumerate(teams)]
    contacts = [make_contact(app, nickname=f"customer {number}") for number in range(4)]
    person = make_person(teams[0], password=None, name="Ada")
    for number in range(70):
        at = first + timedelta(hours=number * 5 / 2, minutes=number % 7)
        outcome = Outcome.values[number % 6]
        handled = outcome in {"rejected", "refused", "unconfirmed"}
        call = make_call(
            accounts[number % 3], at, contact=contacts[number % 4], outcome=outcome, kind=1 + number % 2,
            claimed_by=person if handled else None,
            shown_at=at + timedelta(milliseconds=40 + number) if number % 5 else None,
            screens=1 if number % 5 else 0,
        )  # fmt: skip
        if outcome == "rejected":
            make_attempt(call, person, started_at=at + timedelta(seconds=2 + number % 9))


# Every figure is the number of calls that history lists

WEEKS = [
    (SHANGHAI, date(2025, 3, 3)),
    ("America/New_York", date(2025, 3, 3)),  # in its last night an hour is missing
    ("America/New_York", date(2025, 10, 27)),  # in its last night an hour comes twice
    ("Asia/Kolkata", date(2025, 3, 3)),
]


@pytest.mark.parametrize(("zone", "monday"), WEEKS)
def test_every_figure_leads_to_as_many_calls(zone: str, monday: date) -> None:
    a_busy_week(datetime(monday.year, monday.month, monday.day, tzinfo=UTC))
    assert lead_astray(supervisor(zone), zone, monday) == []


@pytest.mark.parametrize(
    "query",
    [
        {"by": "hour"},
        {"by": "week"},
        {"outcome": "missed"},
        {"unseen": "true"},
        {"kind": "2"},
        {"hour": "1"},
        {"q": "line 1"},
    ],
    ids=str,
)
def test_every_figure_leads_to_as_many_calls_whatever_the_filter(query: dict[str, str]) -> None:
    a_busy_week(datetime(2025, 3, 3, tzinfo=UTC))
    rollups.rebuild()
    assert lead_astray(supervisor(), SHANGHAI, date(2025, 3, 3), **query) == []


def lead_astray(client: Client, zone: str, monday: date, **query: str) -> list[tuple[str, int]]:
    """The figures of a week's report that are not the number of calls that they lead to."""
    week = days(monday.isoformat(), (monday + timedelta(days=6)).isoformat())
    found = {figure for section in SECTIONS for figure in figures(report(client, section, **week, **query))}
    assert len(found) > 5
    return [(href, number) for href, number in found if listed(href, zone) != number]
