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
from dashboard.filters.call_filter import CallFilter
from dashboard.pages.history import ROWS as PAGE
from dashboard.pages.report_tables import ROWS

from ..factory import (
    make_account,
    make_app,
    make_attempt,
    make_call,
    make_calls,
    make_client,
    make_contact,
    make_person,
    make_team,
)
from .reading import HOSTILE, rows, said, text_of, words_of

pytestmark = pytest.mark.django_db

Role, Outcome, Kind = Person.Role, Call.Outcome, Call.Kind
SECTIONS = ("", "shown/", "rejected/", "breakdown/", "callers/")
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
        return int(found.qs.count())


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
    for day in range(2, 8):  # the others are counted afresh
        assert rollups.count(date(2025, 3, day))
    assert lead_astray(supervisor(), SHANGHAI, date(2025, 3, 3), **query) == []


def lead_astray(client: Client, zone: str, monday: date, **query: str) -> list[tuple[str, int]]:
    """The figures of a week's report that are not the number of calls that they lead to."""
    week = days(monday.isoformat(), (monday + timedelta(days=6)).isoformat())
    found = {figure for section in SECTIONS for figure in figures(report(client, section, **week, **query))}
    assert len(found) > 5
    return [(href, number) for href, number in found if listed(href, zone) != number]


def test_the_history_of_a_figure_lists_that_many() -> None:
    a_busy_week(datetime(2025, 3, 3, tzinfo=UTC))
    client = supervisor()
    for href, number in figures(report(client, **days("2025-03-03", "2025-03-09")))[:5]:
        assert len(rows(client.get(href))) == min(number, PAGE)


# What the page says


def test_calls_that_still_ring_are_calls_of_no_outcome() -> None:
    make_call()
    assert "1 Rejected by people 0.0%" in words_of(report(compare="none"))
    assert "Not over yet" in words_of(report())


def test_a_quiet_period_is_drawn_too() -> None:
    page = report(**days("2025-03-03", "2025-03-09"))
    assert "2025-03-05 0 0 0" in words_of(page)
    assert figures(page) == []


def test_it_says_which_days_it_compares_with() -> None:
    words = words_of(report(**days("2025-03-10", "2025-03-16")))
    assert "Compared with 2025-03-03 to 2025-03-09" in words
    assert "Time zone Asia/Shanghai" in words


def test_paper_says_what_was_filtered_by() -> None:
    query = days("2025-03-03", "2025-03-09") | {"team": "none", "outcome": "missed", "unseen": "true", "weekday": "1"}
    scope = text_of(report(**query)).split('class="scope"')[1].split("</dl>")[0]
    said = dict(re.findall(r"<dt>(.*?)</dt><dd><bdi>(.*?)</bdi></dd>", scope))
    assert {label: said[label] for label in ("Team", "Outcome", "Nobody saw it", "Weekday")} == {
        "Team": "No team", "Outcome": "Missed", "Nobody saw it": "yes", "Weekday": "Monday",
    }  # fmt: skip


def test_a_change_is_said_in_words() -> None:
    account = make_account()
    for at in ["2025-03-04", "2025-03-05", "2025-03-11", "2025-03-12", "2025-03-13"]:
        make_call(account, datetime.fromisoformat(at).replace(tzinfo=UTC))
    words = words_of(report(**days("2025-03-10", "2025-03-16")))
    assert "50.0% more than before (2)" in words
    assert "1 more than before (2)" in words


def test_nothing_is_compared_where_that_is_not_wanted() -> None:
    words = words_of(report(compare="none", **days("2025-03-10", "2025-03-16")))
    assert "than before" not in words
    assert "Compared with" not in words


def test_large_numbers_have_separators() -> None:
    make_calls(1001)
    assert "1,001" in words_of(report())


def test_delays_are_said_by_nearest_rank_and_two_digits() -> None:
    account, person = make_account(), make_person(password=None)
    at = datetime(2025, 3, 4, tzinfo=UTC)
    for number, milliseconds in enumerate([38, 41, 6234, 14_449]):
        call = make_call(account, at, outcome=Outcome.REJECTED, claimed_by=person, screens=1)
        Call.objects.filter(pk=call.pk).update(shown_at=at + timedelta(milliseconds=milliseconds))
        make_attempt(call, person, started_at=at + timedelta(seconds=number + 1), milliseconds=0)
    day = days("2025-03-04", "2025-03-04")
    words = words_of(report(section="shown/", **day)) + words_of(report(section="rejected/", **day))
    assert "Time to first screen of 4 calls Half within 41 ms 90% within 14 s 99% within 14 s" in words
    assert "Time to reject of 4 calls Half within 2.0 s 90% within 4.0 s" in words


def test_repeat_callers_are_those_who_called_more_than_once() -> None:
    app = make_app()
    account, often, once = make_account(app), make_contact(app, nickname="often"), make_contact(app, nickname="once")
    for contact in (often, often, once):
        make_call(account, contact=contact)
    words = words_of(report(section="callers/"))
    assert "often 2" in words
    assert "once" not in words


def test_repeat_callers_are_counted_for_a_month_at_most() -> None:
    assert "at most 31 days" in words_of(report(section="callers/", **days("2025-03-01", "2025-04-01")))


def test_long_tables_say_how_many_more_there_are_and_show_them() -> None:
    app = make_app()
    for _ in range(ROWS + 3):
        make_call(make_account(app))
    client = supervisor()
    assert "and 3 more" in words_of(report(client, "breakdown/"))
    assert len(figures(report(client, "breakdown/", full="accounts"))) > len(figures(report(client, "breakdown/")))


@pytest.mark.parametrize(("length", "unit"), [(1, "hour"), (2, "hour"), (3, "day"), (100, "day"), (101, "week")])
def test_columns_suit_the_length_of_the_period(length: int, unit: str) -> None:
    last = date(2025, 3, 1) + timedelta(days=length - 1)
    assert f"Outcomes by {unit}" in words_of(report(**days("2025-03-01", last.isoformat())))


def test_names_are_harmless() -> None:
    app = make_app()
    account = make_account(app, name=HOSTILE[:60], team=make_team(name=HOSTILE[:60]))
    contact = make_contact(app, nickname=HOSTILE[:60])
    for _ in range(2):
        make_call(account, contact=contact)
    for section in SECTIONS:
        assert "<script>alert" not in text_of(report(section=section))


@pytest.mark.parametrize("section", SECTIONS)
def test_no_part_brings_styles_or_scripts_of_its_own(section: str) -> None:
    a_busy_week(datetime(2025, 3, 3, tzinfo=UTC))
    text = text_of(supervisor().get(f"/reports/{section}", days("2025-03-03", "2025-03-09"), headers=HTMX))
    assert re.search(r"<script|<style|\bstyle=|\son\w+=", text) is None


# Filters


def test_an_address_says_only_what_is_set() -> None:
    page = supervisor().get("/reports/", {"kind": "1", "team": "", "by": ""}, headers=HTMX)
    assert page.headers["HX-Push-Url"] == "/reports/?kind=1"
    assert supervisor().get("/reports/", {"kind": ""}, headers=HTMX).headers["HX-Push-Url"] == "/reports/"


def test_the_same_address_is_not_put_into_the_browsers_history_again() -> None:
    current = HTMX | {"HX-Current-URL": "http://testserver/reports/?kind=1"}
    assert supervisor().get("/reports/", {"kind": "1", "team": ""}, headers=current).headers["HX-Push-Url"] == "false"


def test_dates_count_more_than_a_period() -> None:
    words = words_of(report(period="7d", **days("2025-03-03", "2025-03-09")))
    assert "Days 2025-03-03 to 2025-03-09" in words


def test_htmx_is_answered_with_the_report_alone() -> None:
    page = supervisor().get("/reports/", headers=HTMX)
    assert text_of(page).strip().startswith('<div id="report">')
    assert "HX-Request" in page.headers["Vary"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        (days("2024-01-01", "2025-01-01"), "at most 366 days"),
        (days("2025-03-02", "2025-03-01"), "The first day is after the last one"),
        ({"from": "nonsense"}, "From: "),
        ({"by": "minute"}, "Calls by: "),
        ({"account": "0"}, "Account: "),
    ],
)
def test_what_makes_no_sense_is_told_and_nothing_is_counted(query: dict[str, str], words: str) -> None:
    make_call()
    page = report(**query)
    assert [error for error in said(page) if words in error] != []
    assert figures(page) == []
    assert 'hx-get="/reports/shown/' not in text_of(page)


@pytest.mark.parametrize("section", SECTIONS[1:])
def test_a_section_refuses_what_makes_no_sense(section: str) -> None:
    assert supervisor().get(f"/reports/{section}", {"account": "0"}).status_code == 400


ENDS = [
    days("0001-01-01", "0001-01-05"),
    days("9999-12-30", "9999-12-31"),
    {"to": "0001-01-01"},
    {"from": "9999-12-31"},
    days("9999-12-30", "9999-12-31") | {"by": "week"},
    days("9999-12-30", "9999-12-31") | {"hour": "23"},
]


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "UTC", "America/New_York"])
@pytest.mark.parametrize("query", ENDS)
def test_the_ends_of_the_calendar_are_days_like_others(query: dict[str, str], zone: str) -> None:
    client = supervisor(zone)
    assert [figures(report(client, section, **query)) for section in SECTIONS] == [[]] * len(SECTIONS)


# Who sees what


def test_strangers_see_no_report() -> None:
    for section in SECTIONS:
        assert make_client().get(f"/reports/{section}").status_code == 302


def test_reports_are_only_read() -> None:
    for section in SECTIONS:
        assert supervisor().post(f"/reports/{section}").status_code == 405


@pytest.mark.parametrize("counted", [False, True])
def test_an_agents_report_counts_their_own_teams_calls(counted: bool) -> None:
    ours, theirs = make_team(), make_team(name="Theirs")
    app, at = make_app(), datetime(2025, 3, 4, tzinfo=UTC)
    seen = make_account(app, team=ours, name="Our line")
    customer = make_contact(app, nickname="their customer")
    make_call(seen, at)
    for team in (theirs, None):
        hidden = make_account(app, team=team, name="Hidden line")
        for _ in range(2):
            make_call(hidden, at, contact=customer, outcome=Outcome.REJECTED, claimed_by=make_person(theirs, name="Them"))
    if counted:
        for day in range(3, 6):
            assert rollups.count(date(2025, 3, day))
    client = make_client(make_person(ours, password=None))
    pages = [report(client, section, **days("2025-03-03", "2025-03-05")) for section in SECTIONS]
    assert figures(pages[0])[0][1] == 1
    words = " ".join(words_of(page) for page in pages)
    assert "Our line" in words
    assert [name for name in ("Theirs", "Hidden line", "their customer", "Them") if name in words] == []


def test_calls_of_no_team_are_none_of_an_agents() -> None:
    make_call(make_account(team=None), datetime(2025, 3, 4, tzinfo=UTC))
    assert rollups.count(date(2025, 3, 4))
    client = make_client(make_person(make_team(), password=None))
    assert figures(client.get("/reports/", {"team": "none", **days("2025-03-03", "2025-03-05")})) == []


def test_another_teams_account_is_no_filter_of_an_agents_report() -> None:
    account = make_account(team=make_team())
    client = make_client(make_person(make_team(), password=None))
    assert said(report(client, account=account.pk)) != []
