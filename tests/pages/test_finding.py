"""Finding calls: what is searched for as chips, how many calls fit, and the word of new ones."""

from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from calls.models import Call, Person
from calls.models import call as call_model
from dashboard.pages import history as page_of_history
from dashboard.pages.history import ROWS

from ..factory import make_account, make_app, make_call, make_calls, make_client, make_contact, make_person, make_team
from .reading import HARMLESS, HOSTILE, older, rows, text_of, words_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def supervisor() -> Client:
    return make_client(make_person(password=None, role=Person.Role.SUPERVISOR))


def past_call(minutes: float = 60, **fields: Any) -> Call:
    return make_call(fields.pop("account", None), timezone.now() - timedelta(minutes=minutes), **fields)


def chips(response: Any) -> dict[str, str]:
    """What each chip says, and the query that is left without it."""
    found = re.findall(r'<a class="chip filter" href="/history/(?:\?([^"]*))?".*?<span>(.*?)</span>', text_of(response))
    return {html.unescape(re.sub(r"<[^>]*>", "", said)): html.unescape(query) for query, said in found}


def how_many(response: Any) -> str:
    found = re.search(r'<p class="how-many">(.*?)</p>', text_of(response), re.DOTALL)
    assert found
    return found[1].strip()


# Filters that have no test of their own in test_history.py


@pytest.mark.parametrize(("period", "days"), [("today", [0]), ("yesterday", [1]), ("7d", [0, 6]), ("30d", [0, 6, 29, 1])])
def test_a_quick_range_has_the_readers_days(period: str, days: list[int]) -> None:
    account = make_account()
    noon = timezone.localtime().replace(hour=12)
    calls = {day: make_call(account, noon - timedelta(days=day)) for day in (0, 1, 6, 7, 29, 30)}
    expected = {calls[day].pk for day in days} | ({calls[1].pk, calls[7].pk} if period == "30d" else set())
    expected |= {calls[1].pk} if period == "7d" else set()
    assert set(rows(supervisor().get("/history/", {"period": period}))) == expected


def test_dates_win_over_a_period() -> None:
    call = past_call(minutes=60 * 24 * 40)
    day = timezone.localdate(call.received_at).isoformat()
    page = supervisor().get("/history/", {"period": "today", "from": day, "to": day})
    assert rows(page) == [call.pk]
    assert list(chips(page)) == [f"From: {day}", f"To: {day}"]


def test_calls_are_filtered_by_contact() -> None:
    account = make_account()
    call = past_call(account=account)
    past_call(account=account)
    assert rows(supervisor().get("/history/", {"contact": call.contact_id})) == [call.pk]


def test_calls_that_nobody_saw_are_found() -> None:
    account = make_account()
    call = past_call(account=account)
    past_call(account=account, screens=1)
    past_call(account=account, screens=None)
    past_call(account=account, claimed_by=make_person(password=None))
    past_call(account=account, outcome=Call.Outcome.RULE)
    make_call(account)
    assert rows(supervisor().get("/history/", {"unseen": "true"})) == [call.pk]


def test_calls_to_accounts_of_no_team_are_found() -> None:
    call = past_call(account=make_account(team=None))
    past_call(account=make_account(team=make_team()))
    assert rows(supervisor().get("/history/", {"team": "none"})) == [call.pk]


@pytest.mark.parametrize("text", ["秀英", "7881302848", "小林", "16888", "9007", "Ada"])
def test_one_box_searches_names_and_numbers(text: str) -> None:
    account = make_account(name="小林", wxid="1688851873049028")
    contact = make_contact(account.app, nickname="王秀英", wxid="7881302848173300")
    call = past_call(account=account, contact=contact, voipid="9007", claimed_by=make_person(password=None, name="Ada"))
    past_call(account=make_account(wxid="5"), contact=make_contact(make_app(), wxid="6"), voipid="7")
    assert rows(supervisor().get("/history/", {"q": text})) == [call.pk]


def test_hours_and_weekdays_are_found_newest_first_and_page_by_page() -> None:
    account = make_account()
    noon = timezone.localtime().replace(hour=12, minute=0, second=0)
    calls = [
        make_call(account, noon - timedelta(days=day, seconds=second)) for day in (1, 9, 24) for second in range(-20, 0)
    ]
    for call in calls:
        make_call(account, call.received_at + timedelta(hours=1))
    client, query = supervisor(), f"?from={noon - timedelta(days=24):%Y-%m-%d}&to={noon:%Y-%m-%d}&hour=12"
    first = client.get(f"/history/{query}")
    second = client.get(f"/history/{older(first)}")
    expected = [call.pk for call in sorted(calls, key=lambda call: call.received_at, reverse=True)]
    assert rows(first) + rows(second) == expected
    assert (how_many(first), len(rows(first)), older(second)) == ("60 calls", ROWS, None)


def test_an_hour_without_days_is_refused_and_its_chip_takes_it_away() -> None:
    past_call()
    page = supervisor().get("/history/", {"hour": "12"})
    assert "needs a period" in words_of(page)
    assert (rows(page), chips(page)) == ([], {"Hour: 12:00–13:00": ""})


@pytest.mark.parametrize("rare", [0, 10])
@pytest.mark.parametrize("narrow", ["team", "account", "agent", "contact"])
def test_an_outcome_is_found_within_what_narrows_the_search_however_many_calls_have_it(
    rare: int, narrow: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_model, "RARE", rare)
    person, account = make_person(password=None, username="ada"), make_account(team=make_team())
    fitting = {"account": account, "contact": make_contact(account.app), "claimed_by": person}
    call = past_call(**fitting, outcome=Call.Outcome.REFUSED)
    past_call(**fitting, outcome=Call.Outcome.REJECTED)
    make_call(**fitting, outcome=Call.Outcome.REFUSED)  # not over
    past_call(outcome=Call.Outcome.REFUSED)
    narrowed = {"team": account.team_id, "account": account.pk, "agent": "ada", "contact": call.contact_id}
    page = supervisor().get("/history/", {"outcome": "refused", narrow: narrowed[narrow]})
    assert (rows(page), how_many(page)) == ([call.pk], "1 call")


# Chips


def test_each_chip_leads_to_the_same_search_without_it() -> None:
    team = make_team(name="Sales")
    account = make_account(team=team, name="小林")
    call = past_call(account=account, contact=make_contact(account.app, nickname="王秀英"))
    page = supervisor().get("/history/", {"team": team.pk, "contact": call.contact_id, "outcome": "missed", "kind": "2"})
    assert chips(page) == {
        "Outcome: Missed": f"kind=2&team={team.pk}&contact={call.contact_id}",
        "Kind: Voice": f"outcome=missed&team={team.pk}&contact={call.contact_id}",
        "Team: Sales": f"outcome=missed&kind=2&contact={call.contact_id}",
        "Contact: 王秀英": f"outcome=missed&kind=2&team={team.pk}",
    }


def test_chips_name_what_has_no_control_of_its_own() -> None:
    page = supervisor().get("/history/", {"period": "30d", "weekday": "1", "hour": "9", "unseen": "true"})
    assert list(chips(page)) == ["Period: Last 30 days", "Nobody saw it", "Weekday: Monday", "Hour: 9:00–10:00"]


def test_without_its_days_a_search_for_an_hour_goes_too() -> None:
    page = supervisor().get("/history/", {"period": "30d", "hour": "9", "kind": "1"})
    assert chips(page)["Period: Last 30 days"] == "kind=1"


def test_chips_come_with_the_table() -> None:
    page = supervisor().get("/history/", {"outcome": "rule"}, headers=HTMX)
    assert list(chips(page)) == ["Outcome: Rejected by rule"]


def test_what_is_empty_or_unknown_is_no_chip() -> None:
    assert chips(supervisor().get("/history/", {"q": " ", "kind": "", "unseen": "false", "page": "2"})) == {}


def test_what_makes_no_sense_can_be_taken_away_too() -> None:
    assert chips(supervisor().get("/history/", {"outcome": "lost", "kind": "1"})) == {
        "Outcome: lost": "kind=1",
        "Kind: Video": "outcome=lost",
    }


def test_a_chip_takes_no_text_for_html() -> None:
    account = make_account()
    contact = make_contact(account.app, nickname=HOSTILE)
    past_call(account=account, contact=contact)
    page = text_of(supervisor().get("/history/", {"contact": contact.pk, "q": "<script>"}))
    assert HARMLESS in page
    assert "<script>" not in page


# The address


def pushed(client: Client, query: dict[str, str], current: str = "") -> str:
    answer = client.get("/history/", query, headers=HTMX | {"HX-Current-URL": f"http://testserver/history/{current}"})
    return answer.headers["HX-Push-Url"]


def test_empty_fields_are_left_out_of_the_address() -> None:
    assert pushed(supervisor(), {"q": "", "outcome": "missed", "kind": "", "team": ""}) == "/history/?outcome=missed"


def test_without_any_filter_the_address_is_bare() -> None:
    assert pushed(supervisor(), {"q": "", "kind": ""}, "?kind=1") == "/history/"


def test_the_same_address_is_not_put_into_the_browsers_history_again() -> None:
    assert pushed(supervisor(), {"q": "", "kind": "1"}, "?kind=1") == "false"


# How many


@pytest.mark.parametrize(("number", "words"), [(0, "0 calls"), (1, "1 call"), (ROWS + 1, f"{ROWS + 1} calls")])
def test_how_many_calls_fit_is_said(number: int, words: str) -> None:
    if number:
        make_calls(number, outcome=Call.Outcome.REJECTED)
    past_call()
    assert how_many(supervisor().get("/history/", {"outcome": "rejected"})) == words


def test_counting_ends_at_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_of_history, "MOST_COUNTED", 1_000)
    make_calls(1_001)
    assert how_many(supervisor().get("/history/")) == "more than 1,000 calls"


def test_thousands_are_set_apart() -> None:
    make_calls(1_284)
    assert how_many(supervisor().get("/history/")) == "1,284 calls"


def test_an_older_page_says_how_many_there_are_on_all_and_leads_back() -> None:
    make_calls(ROWS + 5)
    client = supervisor()
    page = client.get(f"/history/{older(client.get('/history/', {'kind': '2'}))}")
    assert how_many(page) == f"{ROWS + 5} calls"
    assert '<a class="clear" href="?kind=2">Back to the newest</a>' in text_of(page)


def test_agents_are_told_how_many_calls_of_their_teams_fit() -> None:
    team = make_team()
    past_call(account=make_account(team=team))
    past_call(account=make_account(team=make_team()))
    past_call(account=make_account(team=None))
    assert how_many(make_client(make_person(team, password=None)).get("/history/")) == "1 call"


@pytest.mark.parametrize(
    "query", [{}, {"unseen": "true"}, {"outcome": "missed"}, {"kind": "2"}, {"period": "7d"}, {"q": "秀英"}]
)
def test_agents_find_no_call_of_another_team(query: dict[str, str]) -> None:
    app, team = make_app(), make_team()
    contact = make_contact(app, nickname="王秀英")
    call = past_call(account=make_account(app, team=team), contact=contact)
    past_call(account=make_account(app, team=make_team()), contact=contact)
    page = make_client(make_person(team, password=None)).get("/history/", query)
    assert (rows(page), how_many(page)) == ([call.pk], "1 call")


def test_a_contact_of_other_teams_alone_is_no_filter_for_an_agent() -> None:
    call = past_call(account=make_account(team=make_team()))
    page = make_client(make_person(make_team(), password=None)).get("/history/", {"contact": call.contact_id})
    assert rows(page) == []
    assert list(chips(page)) == [f"Contact: {call.contact_id}"]


# New calls


def news(client: Client, **query: Any) -> str:
    return words_of(client.get("/history/new/", query))


def test_calls_that_came_since_are_announced() -> None:
    account = make_account()
    since = past_call(account=account).pk
    assert news(supervisor(), since=since) == ""
    make_call(account)
    assert news(supervisor(), since=since) == "1 new call, show it"
    make_call(account)
    assert news(supervisor(), since=since) == "2 new calls, show them"


def test_the_table_knows_the_newest_call() -> None:
    call = past_call()
    assert f"since={call.pk}" in text_of(supervisor().get("/history/"))


def test_the_newest_call_is_found_without_sorting_all_whatever_the_database_knows_of_its_indexes() -> None:
    past_call()
    client = supervisor()
    with CaptureQueriesContext(connection) as asked:
        client.get("/history/")
    assert [query["sql"] for query in asked if 'MAX("calls_call"."id")' in query["sql"]] != []
    assert [query["sql"] for query in asked if query["sql"].endswith("DESC LIMIT 1") and "calls_call" in query["sql"]] == []


def test_only_new_calls_that_fit_are_announced_and_the_link_keeps_the_filters() -> None:
    account = make_account()
    make_call(account, kind=Call.Kind.VIDEO)
    client = supervisor()
    assert news(client, since=0, kind="2") == ""
    page = client.get("/history/new/", {"since": 0, "kind": "1"})
    assert 'href="/history/?kind=1"' in text_of(page)


def test_many_new_calls_are_not_counted_to_the_end() -> None:
    make_calls(101)
    assert news(supervisor(), since=0) == "more than 99 new calls, show them"


def test_agents_are_told_nothing_of_another_teams_new_calls() -> None:
    team = make_team()
    client = make_client(make_person(team, password=None))
    make_call(make_account(team=make_team()))
    assert news(client, since=0) == ""
    make_call(make_account(team=team))
    assert news(client, since=0) == "1 new call, show it"


@pytest.mark.parametrize("since", ["", "x", "-1", "²", "9" * 40])
def test_a_newest_call_that_makes_no_sense_announces_nothing(since: str) -> None:
    make_call()
    answer = supervisor().get("/history/new/", {"since": since})
    assert (answer.status_code, words_of(answer)) == (200, "")


def test_a_filter_that_makes_no_sense_announces_nothing() -> None:
    make_call()
    assert news(supervisor(), since=0, outcome="lost") == ""


# Rows


def test_a_row_leads_to_the_contacts_calls_and_says_how_many_screens_showed_it() -> None:
    call = past_call(screens=3)
    page = supervisor().get("/history/")
    assert f'href="/history/?contact={call.contact_id}"' in text_of(page)
    assert re.search(r'data-label="Screens">3</td>', text_of(page))


def test_a_call_from_before_there_were_receipts_was_on_an_unknown_number_of_screens() -> None:
    past_call(screens=None)
    assert re.search(r'data-label="Screens">unknown</td>', text_of(supervisor().get("/history/")))
