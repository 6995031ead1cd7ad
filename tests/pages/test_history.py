from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from calls.models import Attempt, Call, Person
from dashboard.pages.history import ROWS

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
from .reading import HARMLESS, HOSTILE, older, rows, said, text_of, words_of

pytestmark = pytest.mark.django_db

Role, Outcome, Kind, Result = Person.Role, Call.Outcome, Call.Kind, Attempt.Result
HTMX = {"HX-Request": "true"}


def supervisor(zone: str = "") -> Client:
    client = make_client(make_person(password=None, role=Role.SUPERVISOR))
    if zone:
        client.cookies["timezone"] = zone
    return client


def history(client: Client | None = None, **query: Any) -> Any:
    return (client or supervisor()).get("/history/", query)


def past_call(minutes: float = 60, **fields: Any) -> Call:
    """A call of this long ago."""
    return make_call(fields.pop("account", None), timezone.now() - timedelta(minutes=minutes), **fields)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


# The table


def test_calls_are_listed_newest_first() -> None:
    calls = [past_call(minutes) for minutes in (30, 10, 20)]
    assert rows(history()) == [calls[1].pk, calls[2].pk, calls[0].pk]


def test_a_call_that_rings_is_listed_too() -> None:
    call = make_call()
    assert rows(history()) == [call.pk]


def test_a_row_says_who_called_whom_and_what_became_of_it() -> None:
    account = make_account(name="小林")
    person = make_person(password=None, name="Ada")
    contact = make_contact(account.app, nickname="王秀英")
    call = past_call(account=account, contact=contact, outcome=Outcome.REJECTED, claimed_by=person, kind=Kind.VIDEO)
    make_attempt(call, person, started_at=call.received_at + timedelta(seconds=6), milliseconds=240)
    assert "王秀英 小林 Video Rejected Ada 6.2 0 · 240 ms" in words_of(history())


@pytest.mark.parametrize("outcome", Outcome)
def test_every_outcome_is_said_in_words(outcome: Call.Outcome) -> None:
    past_call(outcome=outcome)
    assert '<span class="outcome' in text_of(history())
    with translation.override("en"):
        assert str(outcome.label).capitalize() in words_of(history())


def test_calls_that_nobody_saw_are_marked_and_no_others() -> None:
    unseen = past_call()
    seen = past_call(shown_at=timezone.now(), screens=1)
    table = text_of(history())
    marked = {pk: "Nobody saw it" in table.split(f'data-call="{pk}"')[1].split("</tr>")[0] for pk in (unseen.pk, seen.pk)}
    assert marked == {unseen.pk: True, seen.pk: False}


def test_without_any_call_the_page_says_so() -> None:
    assert "No call has come yet." in words_of(history())


def test_htmx_is_answered_with_the_table_alone() -> None:
    call = past_call()
    answer = supervisor().get("/history/", headers=HTMX)
    assert rows(answer) == [call.pk]
    assert text_of(answer).strip().startswith('<section id="table"')


def test_history_is_only_read() -> None:
    assert supervisor().post("/history/").status_code == 405


# Who sees what


def test_an_agent_sees_the_history_of_their_teams() -> None:
    team = make_team()
    seen = past_call(account=make_account(team=team))
    past_call(account=make_account(team=make_team()))
    past_call(account=make_account(team=None))
    assert rows(history(make_client(make_person(team, password=None)))) == [seen.pk]


def test_an_agent_without_a_team_sees_no_history() -> None:
    past_call(account=make_account(team=None))
    assert rows(history(make_client(make_person(password=None)))) == []


@pytest.mark.parametrize("fields", [{"all_accounts": True}, {"role": Role.SUPERVISOR}, {"role": Role.ADMIN}])
def test_who_may_see_all_sees_the_history_of_all(fields: dict[str, object]) -> None:
    calls = {past_call(account=make_account(team=team)).pk for team in (None, make_team())}
    assert set(rows(history(make_client(make_person(password=None, **fields))))) == calls


def test_another_teams_account_is_no_filter_for_an_agent() -> None:
    account = make_account(team=make_team())
    past_call(account=account)
    page = history(make_client(make_person(make_team(), password=None)), account=account.pk)
    assert (rows(page), len(said(page))) == ([], 1)


def test_another_team_is_no_filter_for_an_agent() -> None:
    ours, theirs = make_team(), make_team()
    past_call(account=make_account(team=ours))
    page = history(make_client(make_person(ours, password=None)), team=theirs.pk)
    assert (rows(page), len(said(page))) == ([], 1)


def test_an_agent_is_offered_their_own_teams_and_accounts_only() -> None:
    ours = make_team(name="Ours")
    make_account(team=ours, name="Our account")
    make_account(team=make_team(name="Theirs"), name="Their account")
    words = words_of(history(make_client(make_person(ours, password=None))))
    assert [name in words for name in ("Ours", "Our account", "Theirs", "Their account")] == [True, True, False, False]


def test_calls_of_no_team_are_no_filter_for_an_agent() -> None:
    past_call(account=make_account(team=None))
    client = make_client(make_person(make_team(), password=None))
    page = history(client, team="none")
    assert (rows(page), len(said(page)), "No team" in words_of(page)) == ([], 1, False)


# Each filter

# First and last moment of a day (UTC) in each zone: a plain one, one that begins the summer, and one that ends it.
DAYS = [
    ("Asia/Shanghai", "2026-03-08", "2026-03-07T16:00:00", "2026-03-08T15:59:59.999999"),
    ("America/Los_Angeles", "2026-03-02", "2026-03-02T08:00:00", "2026-03-03T07:59:59.999999"),
    ("America/Los_Angeles", "2026-03-08", "2026-03-08T08:00:00", "2026-03-09T06:59:59.999999"),
    ("America/Los_Angeles", "2026-11-01", "2026-11-01T07:00:00", "2026-11-02T07:59:59.999999"),
    ("Pacific/Kiritimati", "2026-03-08", "2026-03-07T10:00:00", "2026-03-08T09:59:59.999999"),
    ("Asia/Kolkata", "2026-03-08", "2026-03-07T18:30:00", "2026-03-08T18:29:59.999999"),
    ("", "2026-03-08", "2026-03-07T16:00:00", "2026-03-08T15:59:59.999999"),
]
INSTANT = timedelta(microseconds=1)


@pytest.mark.parametrize(("zone", "day", "first", "last"), DAYS)
def test_from_begins_with_the_first_moment_of_the_readers_day(zone: str, day: str, first: str, last: str) -> None:
    account = make_account()
    make_call(account, at(first) - INSTANT)
    inside = make_call(account, at(first))
    assert rows(history(supervisor(zone), **{"from": day})) == [inside.pk]


@pytest.mark.parametrize(("zone", "day", "first", "last"), DAYS)
def test_to_ends_with_the_last_moment_of_the_readers_day(zone: str, day: str, first: str, last: str) -> None:
    account = make_account()
    inside = make_call(account, at(last))
    make_call(account, at(last) + INSTANT)
    assert rows(history(supervisor(zone), to=day)) == [inside.pk]


@pytest.mark.parametrize(("zone", "day", "first", "last"), DAYS)
def test_from_and_to_the_same_day_is_that_day(zone: str, day: str, first: str, last: str) -> None:
    account = make_account()
    moments = [at(first) - INSTANT, at(first), at(last), at(last) + INSTANT]
    calls = [make_call(account, moment) for moment in moments]
    assert rows(history(supervisor(zone), **{"from": day, "to": day})) == [calls[2].pk, calls[1].pk]


def test_to_before_from_finds_nothing() -> None:
    past_call()
    assert rows(history(**{"from": "2026-03-02", "to": "2026-03-01"})) == []


@pytest.mark.parametrize("outcome", [Outcome.MISSED, Outcome.REFUSED, Outcome.UNCONFIRMED])
def test_a_call_that_is_not_over_has_no_outcome_yet(outcome: Call.Outcome) -> None:
    make_call(outcome=outcome)
    assert rows(history(outcome=outcome.value)) == []


def test_a_filtered_table_is_not_taken_for_the_page_at_the_same_address() -> None:
    client = supervisor()
    for headers in ({}, {"HX-Request": "true"}):
        assert "HX-Request" in client.get("/history/", headers=headers).headers["Vary"]


def test_agents_choose_among_the_people_who_may_handle_their_calls() -> None:
    mine, other = make_team(), make_team()
    me, colleague = make_person(mine, password=None), make_person(mine, password=None)
    everywhere = make_person(password=None, all_accounts=True)
    boss = make_person(password=None, role=Role.SUPERVISOR)
    stranger = make_person(other, password=None)
    page = text_of(make_client(me).get("/history/"))
    shown = [person for person in (me, colleague, everywhere, boss, stranger) if f'value="{person.username}"' in page]
    assert shown == [me, colleague, everywhere, boss]


@pytest.mark.parametrize("outcome", Outcome)
def test_calls_are_filtered_by_outcome(outcome: Call.Outcome) -> None:
    calls = {each: past_call(outcome=each) for each in Outcome}
    assert rows(history(outcome=outcome.value)) == [calls[outcome].pk]


@pytest.mark.parametrize("kind", Kind)
def test_calls_are_filtered_by_kind(kind: Call.Kind) -> None:
    calls = {each: past_call(kind=each) for each in Kind}
    assert rows(history(kind=kind.value)) == [calls[kind].pk]


def test_calls_are_filtered_by_account() -> None:
    call = past_call()
    past_call()
    assert rows(history(account=call.account_id)) == [call.pk]


def test_calls_are_filtered_by_team() -> None:
    teams = make_team(), make_team()
    calls = [past_call(account=make_account(team=team)) for team in (*teams, None)]
    assert rows(history(team=teams[0].pk)) == [calls[0].pk]


def test_calls_are_filtered_by_the_username_of_who_rejected_them() -> None:
    person = make_person(password=None, username="ada")
    call = past_call(claimed_by=person)
    past_call(claimed_by=make_person(password=None))
    past_call()
    assert rows(history(agent="ada")) == [call.pk]


def test_somebody_who_left_can_still_be_looked_for() -> None:
    call = past_call(claimed_by=make_person(password=None, username="ada", is_active=False))
    assert rows(history(agent="ada")) == [call.pk]


def test_filters_narrow_together() -> None:
    app, person = make_app(), make_person(password=None, username="ada")
    account = make_account(app, team=make_team())
    fitting = {"account": account, "outcome": Outcome.REJECTED, "kind": Kind.VIDEO, "claimed_by": person}
    call = past_call(**fitting)
    day = timezone.localtime(call.received_at).date()
    past_call(**fitting | {"account": make_account(app, team=account.team)})
    past_call(**fitting | {"outcome": Outcome.REFUSED})
    past_call(**fitting | {"kind": Kind.VOICE})
    past_call(**fitting | {"claimed_by": make_person(password=None)})
    past_call(minutes=3 * 24 * 60, **fitting)
    query = {"account": account.pk, "team": account.team_id, "outcome": "rejected", "kind": 1, "agent": "ada"}
    assert rows(history(**query, **{"from": day, "to": day})) == [call.pk]


def test_a_filter_that_nothing_fits_says_so_and_can_be_cleared() -> None:
    past_call()
    words = words_of(history(outcome="rule"))
    assert ("No call fits these filters." in words, "Clear all filters" in words) == (True, True)


def test_the_form_shows_what_is_filtered_by() -> None:
    page = text_of(history(**{"from": "2026-03-01", "outcome": "rule", "kind": "1"}))
    for part in ('value="2026-03-01"', '<option value="rule" selected>', '<option value="1" selected>'):
        assert part in page


# Filters and places that make no sense

NONSENSE = [
    {"from": "yesterday"},
    {"from": "2026-02-30"},
    {"from": "0000-00-00"},
    {"from": "99999-01-01"},
    {"to": "2026-13-01"},
    {"to": "\0"},
    {"outcome": "lost"},
    {"outcome": "REJECTED"},
    {"kind": "3"},
    {"kind": "voice"},
    {"account": "0"},
    {"account": "x"},
    {"account": "9" * 40},
    {"account": "-1"},
    {"account": "1.5"},
    {"team": "0"},
    {"team": "²"},
    {"team": "9" * 40},
    {"agent": "nobody"},
    {"agent": "\0"},
    {"agent": "x" * 10_000},
    {"agent": "<script>alert(1)</script>"},
]


@pytest.mark.parametrize("query", NONSENSE, ids=repr)
def test_a_filter_that_makes_no_sense_shows_nothing_and_says_so(query: dict[str, str]) -> None:
    past_call()
    page = history(**query)
    assert (page.status_code, rows(page), len(said(page))) == (200, [], 1)


@pytest.mark.parametrize("query", NONSENSE, ids=repr)
def test_a_filter_that_makes_no_sense_is_named(query: dict[str, str]) -> None:
    label = {"from": "From", "to": "To", "agent": "Person"}.get(next(iter(query)), next(iter(query)).capitalize())
    assert said(history(**query))[0].startswith(f"{label}: ")


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "Pacific/Kiritimati", "America/Los_Angeles", "UTC"])
@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({"from": "0001-01-01"}, True),
        ({"to": "0001-01-01"}, False),
        ({"from": "9999-12-31"}, False),
        ({"to": "9999-12-31"}, True),
        ({"to": "9999-12-30"}, True),
    ],
)
def test_the_first_and_the_last_day_of_all_are_days_too(zone: str, query: dict[str, str], found: bool) -> None:
    call = past_call()
    assert rows(history(supervisor(zone), **query)) == ([call.pk] if found else [])


@pytest.mark.parametrize(
    "after",
    [
        ",",
        "x",
        "5",
        "2026-03-01",
        "2026-03-01T00:00:00,5",
        "2026-03-01T00:00:00+00:00",
        "2026-03-01T00:00:00+00:00,",
        "2026-03-01T00:00:00+00:00,x",
        "2026-03-01T00:00:00+00:00,-5",
        "2026-03-01T00:00:00+00:00,²",
        "2026-03-01T00:00:00+00:00," + "9" * 40,
        "2026-02-30T00:00:00+00:00,5",
        "2026-03-01T00:00:00+99:00,5",
        "\0,\0",
        "' OR 1=1 --,5",
    ],
)
def test_a_place_that_makes_no_sense_begins_at_the_newest(after: str) -> None:
    call = past_call()
    page = history(after=after)
    assert (page.status_code, rows(page)) == (200, [call.pk])


@pytest.mark.parametrize("after", ["0001-01-01T00:00:00+14:00,5", "9999-12-31T23:59:59-12:00,5"])
def test_a_place_at_the_edge_of_time_is_no_error(after: str) -> None:
    past_call()
    assert history(after=after).status_code == 200


def test_a_query_that_nobody_knows_is_passed_over() -> None:
    call = past_call()
    assert rows(history(page="2", offset="10")) == [call.pk]


# Page after page


def leaf_through(client: Client, query: str = "") -> list[list[int]]:
    """The rows of each page, from the newest to the last."""
    pages = []
    following: str | None = query
    while following is not None:
        page = client.get(f"/history/{following}")
        pages.append(rows(page))
        following = older(page)
    return pages


@pytest.mark.parametrize("number", [1, ROWS - 1, ROWS, ROWS + 1, 2 * ROWS, 2 * ROWS + 1])
def test_pages_have_every_call_once_though_all_came_at_the_same_moment(number: int) -> None:
    moment = timezone.now() - timedelta(hours=1)
    calls = make_calls(number, received_at=moment, rings_until=moment)
    pages = leaf_through(supervisor())
    assert [pk for page in pages for pk in page] == sorted((call.pk for call in calls), reverse=True)


def test_pages_have_every_call_once_though_some_came_at_the_same_moment() -> None:
    start, account = timezone.now() - timedelta(days=1), make_account()
    for group in range(9):
        moment = start + timedelta(microseconds=group % 5)
        make_calls(15, account, received_at=moment, rings_until=moment)
    expected = list(Call.objects.order_by("-received_at", "-id").values_list("pk", flat=True))
    assert [pk for page in leaf_through(supervisor()) for pk in page] == expected


def test_a_page_is_full_before_there_is_another() -> None:
    make_calls(ROWS + 1)
    assert [len(page) for page in leaf_through(supervisor())] == [ROWS, 1]


def test_a_call_that_comes_meanwhile_moves_nothing() -> None:
    account, client = make_account(), supervisor()
    calls = make_calls(ROWS + 1, account)
    first = client.get("/history/")
    make_call(account)
    assert rows(client.get(f"/history/{older(first)}")) == [calls[0].pk]


def test_filters_stay_from_page_to_page() -> None:
    account = make_account()
    make_calls(ROWS + 5, account, outcome=Outcome.REFUSED, rings_until=timezone.now())
    make_calls(ROWS, account, rings_until=timezone.now())
    pages = leaf_through(supervisor(), "?outcome=refused&kind=2")
    assert [len(page) for page in pages] == [ROWS, 5]


# Strangers' texts


def test_no_text_of_strangers_is_taken_for_html() -> None:
    account = make_account(name=HOSTILE[:60], team=make_team(name=HOSTILE[:60]))
    person = make_person(password=None, name=HOSTILE[:60])
    call = past_call(account=account, contact=make_contact(account.app, nickname=HOSTILE), claimed_by=person)
    make_attempt(call, person, result=Result.REFUSED, errcode="<script>", message=HOSTILE)
    page = text_of(history())
    assert HARMLESS in page
    assert "<script>" not in page
    assert "<img" not in page


def test_no_text_of_an_address_is_taken_for_html() -> None:
    page = text_of(history(**dict.fromkeys(("from", "to", "outcome", "kind", "account", "team", "agent"), HOSTILE)))
    assert "<script>" not in page
    assert "<img" not in page


# How much is asked of the database


@pytest.mark.parametrize("number", [10, 1000])
def test_history_takes_the_same_queries_however_much_there_is(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    person = make_person(password=None)
    for account in [make_account(team=make_team()) for _ in range(5)]:
        calls = make_calls(number // 5, account, claimed_by=person)
        Attempt.objects.bulk_create(Attempt(call=call, person=person, started_at=call.received_at) for call in calls)
    client = supervisor()
    with django_assert_num_queries(14 if number > ROWS else 13):  # one counts what is on no page yet
        page = client.get("/history/")
    assert len(rows(page)) == min(number, ROWS)
