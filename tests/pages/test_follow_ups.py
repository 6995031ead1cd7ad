from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calls.live import render
from calls.live.render import Audience
from calls.models import Account, Call, FollowUp, Person, Team
from calls.models.follow_up import DONE_SHOWN_FOR
from calls.models.person import Sight
from dashboard.pages import follow_ups as page

from ..factory import (
    make_account,
    make_app,
    make_call,
    make_calls,
    make_client,
    make_contact,
    make_follow_up,
    make_person,
    make_team,
)
from .reading import HARMLESS, HOSTILE, rows, text_of, words_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
Role = Person.Role


@pytest.fixture
def team() -> Team:
    return make_team(name="After-sales")


@pytest.fixture
def account(team: Team) -> Account:
    return make_account(team=team, name="Xiaolin")


@pytest.fixture
def agent(team: Team) -> Person:
    return make_person(team, password=None, name="Li Lei")


def supervisor() -> Client:
    return make_client(make_person(password=None, role=Role.SUPERVISOR, name="Zhao Min"))


def past_call(
    account: Account, ago: timedelta = timedelta(minutes=10), nickname: str = "Wang Xiuying", **fields: Any
) -> Call:
    contact = fields.pop("contact", None) or make_contact(account.app, nickname=nickname)
    return make_call(account, timezone.now() - ago, contact=contact, **fields)


def taken(account: Account, person: Person, **fields: Any) -> FollowUp:
    return make_follow_up(past_call(account, **fields), taken_by=person, taken_at=timezone.now())


def done(account: Account, person: Person, note: str = "", ago: timedelta = timedelta(), **fields: Any) -> FollowUp:
    now = timezone.now()
    return make_follow_up(past_call(account, **fields), done_by=person, added_at=now - ago, done_at=now - ago, note=note)


def act(client: Client, name: str, follow_up: FollowUp, **data: str) -> Any:
    return client.post(f"/follow-up/{follow_up.pk}/{name}/", data, headers=HTMX)


# The list


def test_those_to_follow_up_are_listed_oldest_first_with_who_has_them(account: Account, agent: Person) -> None:
    make_follow_up(past_call(account, nickname="Beta"), added_at=timezone.now() - timedelta(minutes=22))
    make_follow_up(past_call(account, nickname="Alpha"), added_at=timezone.now() - timedelta(hours=5))
    taken(account, agent, nickname="Gamma")
    words = words_of(make_client(agent).get("/follow-up/"))
    assert words.index("Alpha") < words.index("Beta") < words.index("Gamma")
    assert "To follow up 3" in words
    for part in (
        "5 h",
        "22 min",
        "Nobody yet",
        "Voice · missed",
        "to Xiaolin ( After-sales )",
        "added by the team's setting",
    ):
        assert part in words


def test_it_says_how_often_they_called_since(account: Account, agent: Person) -> None:
    contact = make_contact(account.app)
    first = past_call(account, contact=contact)
    make_follow_up(first)
    for minutes in (5, 4):
        past_call(account, timedelta(minutes=minutes), contact=contact)
    assert "called 2 more times" in words_of(make_client(agent).get("/follow-up/"))


def test_what_was_done_lately_is_listed_with_its_note(account: Account, agent: Person) -> None:
    done(account, agent, "called back, all is well")
    done(account, agent, "long ago", DONE_SHOWN_FOR + timedelta(minutes=1))
    words = words_of(make_client(agent).get("/follow-up/"))
    assert "called back, all is well" in words
    assert "long ago" not in words


@pytest.mark.parametrize(("who", "seen"), [("", {"Mine", "Theirs", "Free"}), ("mine", {"Mine"}), ("nobody", {"Free"})])
def test_the_list_shows_all_ones_own_or_nobodys(account: Account, agent: Person, who: str, seen: set[str]) -> None:
    taken(account, agent, nickname="Customer Mine")
    taken(account, make_person(password=None), nickname="Customer Theirs")
    make_follow_up(past_call(account, nickname="Customer Free"))
    words = words_of(make_client(agent).get(f"/follow-up/?who={who}"))
    assert {name for name in ("Mine", "Theirs", "Free") if f"Customer {name}" in words} == seen


def test_more_than_fit_are_counted(account: Account, agent: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page, "ROWS", 3)
    for _ in range(5):
        make_follow_up(past_call(account))
    words = words_of(make_client(agent).get("/follow-up/"))
    assert "To follow up 5" in words
    assert "and 2 later ones" in words


def test_an_agent_sees_the_lists_of_their_teams_and_a_supervisor_all(account: Account, agent: Person) -> None:
    for other in (account, make_account(team=make_team()), make_account(team=None)):
        make_follow_up(past_call(other))
    assert "To follow up 1" in words_of(make_client(agent).get("/follow-up/"))
    assert "To follow up 3" in words_of(supervisor().get("/follow-up/"))


def test_an_empty_list_says_how_somebody_gets_onto_it(agent: Person) -> None:
    assert "Add a customer from a call that has just ended" in words_of(make_client(agent).get("/follow-up/"))


def test_names_and_notes_of_strangers_are_texts(account: Account, agent: Person) -> None:
    make_follow_up(past_call(account, nickname=HOSTILE))
    done(account, agent, HOSTILE)
    for address in ("/follow-up/", "/", f"/follow-up/{FollowUp.objects.open().get().pk}/done/"):
        shown = text_of(make_client(agent).get(address))
        assert HARMLESS in shown
        assert "<img" not in shown


@pytest.mark.parametrize("number", [3, 60])
def test_the_list_takes_the_same_queries_however_long_it_is(
    account: Account, agent: Person, number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for call in make_calls(number, account):
        make_follow_up(call, taken_by=agent)
    for call in make_calls(number, account):
        make_follow_up(call, done_by=agent, done_at=timezone.now())
    client = make_client(agent)
    with django_assert_num_queries(5):  # session, person, teams, open, done
        client.get("/follow-up/")


def test_the_list_is_in_chinese(account: Account, agent: Person) -> None:
    make_follow_up(past_call(account), added_at=timezone.now() - timedelta(minutes=22))
    words = words_of(make_client(agent, "zh-hans").get("/follow-up/"))
    for part in ("待跟进", "无人领取", "22 分钟", "语音 · 未接", "领取", "完成…"):
        assert part in words


# Added


def test_a_call_puts_its_contact_on_the_list(account: Account, agent: Person) -> None:
    call = past_call(account)
    answer = make_client(agent).post(f"/calls/{call.pk}/follow-up/", headers=HTMX)
    assert (text_of(answer), answer.headers["HX-Trigger"]) == ("On the list", '{"follow-ups": {}}')
    assert (FollowUp.objects.get().call, FollowUp.objects.get().added_by) == (call, agent)


def test_a_second_click_adds_nobody_and_says_the_same(account: Account, agent: Person) -> None:
    call = past_call(account)
    for _ in range(2):
        assert text_of(make_client(agent).post(f"/calls/{call.pk}/follow-up/", headers=HTMX)) == "On the list"
    assert FollowUp.objects.count() == 1


def test_without_htmx_the_calls_page_follows(account: Account, agent: Person) -> None:
    call = past_call(account)
    assert make_client(agent).post(f"/calls/{call.pk}/follow-up/").headers["Location"] == f"/history/{call.pk}/"


@pytest.mark.parametrize("pk", [0, 987_654_321, 2**63])
def test_what_does_not_exist_is_not_found(agent: Person, pk: int) -> None:
    client = make_client(agent)
    assert client.post(f"/calls/{pk}/follow-up/").status_code == 404
    assert client.post(f"/follow-up/{pk}/take/").status_code == 404
    assert client.get(f"/follow-up/{pk}/done/").status_code == 404


# Taken, given back, done


def test_it_is_taken_and_given_back(account: Account, agent: Person) -> None:
    follow_up, client = make_follow_up(past_call(account)), make_client(agent)
    answer = act(client, "take", follow_up)
    assert (answer.status_code, answer.headers["HX-Trigger"]) == (204, '{"follow-ups": {}}')
    assert FollowUp.objects.get().taken_by == agent
    assert "Give back" in words_of(client.get("/follow-up/"))
    act(client, "give-back", follow_up)
    assert FollowUp.objects.get().taken_by is None


def test_without_htmx_the_list_follows_and_says_who_was_first(account: Account, agent: Person) -> None:
    follow_up = taken(account, make_person(password=None, name="Han Meimei"))
    answer = make_client(agent).post(f"/follow-up/{follow_up.pk}/take/", follow=True)
    assert answer.redirect_chain == [("/follow-up/", 302)]
    assert "Han Meimei was first." in words_of(answer)


def test_what_somebody_else_has_offers_nothing_to_an_agent_and_all_to_a_supervisor(account: Account, agent: Person) -> None:
    taken(account, make_person(password=None))
    assert "Done…" not in words_of(make_client(agent).get("/follow-up/"))
    words = words_of(supervisor().get("/follow-up/"))
    assert "Give back Done…" in words


def test_the_form_is_a_part_of_a_page_or_a_page(account: Account, agent: Person) -> None:
    follow_up, client = make_follow_up(past_call(account)), make_client(agent)
    part = text_of(client.get(f"/follow-up/{follow_up.pk}/done/", headers=HTMX))
    assert "<html" not in part
    assert 'id="dialog-title"' in part
    assert "<html" in text_of(client.get(f"/follow-up/{follow_up.pk}/done/"))


@pytest.mark.parametrize("note", ["", "called back\r\nat 15:00"])
def test_it_is_done_with_a_note_or_without(account: Account, agent: Person, note: str) -> None:
    answer = act(make_client(agent), "done", make_follow_up(past_call(account)), note=note)
    assert answer.status_code == 204
    stored = FollowUp.objects.get()
    assert (stored.done_by, stored.note) == (agent, note.replace("\r\n", "\n"))


@pytest.mark.parametrize("note", ["x" * (FollowUp.LONGEST + 1), "a\x00b"])
def test_a_note_that_cannot_be_kept_stays_in_the_form(account: Account, agent: Person, note: str) -> None:
    answer = act(make_client(agent), "done", make_follow_up(past_call(account)), note=note)
    assert answer.status_code == 200
    assert 'role="alert"' in text_of(answer)
    assert FollowUp.objects.get().done_at is None


def test_who_comes_too_late_is_told_and_loses_nothing_that_they_wrote(account: Account, agent: Person) -> None:
    follow_up = done(account, make_person(password=None, name="Han Meimei"), "hers")
    answer = act(make_client(agent), "done", follow_up, note="mine, of several words")
    assert "Han Meimei has done it." in words_of(answer)
    assert "mine, of several words" in words_of(answer)
    assert FollowUp.objects.get().note == "hers"


def test_what_somebody_else_has_is_not_done_by_an_agent(account: Account, agent: Person) -> None:
    follow_up = taken(account, make_person(password=None, name="Han Meimei"))
    answer = act(make_client(agent), "done", follow_up, note="mine")
    assert "Han Meimei has it." in words_of(answer)
    assert FollowUp.objects.get().done_at is None


@pytest.mark.parametrize("name", ["take", "give-back", "done"])
def test_another_teams_agent_finds_nothing(account: Account, name: str) -> None:
    follow_up = make_follow_up(past_call(account))
    assert act(make_client(make_person(make_team(), password=None)), name, follow_up).status_code == 404
    assert FollowUp.objects.get().done_at is None


# The board


def test_the_board_has_a_panel_with_their_number(account: Account, agent: Person) -> None:
    make_follow_up(past_call(account))
    taken(account, make_person(password=None, name="Han Meimei"), nickname="Beichen")
    words = words_of(make_client(agent).get("/"))
    panel = words[words.index("To follow up") :]
    assert panel.startswith("To follow up 2")
    for part in ("Wang Xiuying", "Nobody yet", "Take", "Beichen", "Han Meimei"):
        assert part in panel


def test_more_than_the_panel_holds_are_counted(account: Account, agent: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "FOLLOW_UPS_SHOWN", 2)
    for _ in range(3):
        make_follow_up(past_call(account))
    words = words_of(make_client(agent).get("/"))
    assert "To follow up 3" in words
    assert "Show all" in words


def test_each_audience_is_sent_its_own_panel(account: Account, team: Team) -> None:
    make_follow_up(past_call(account, nickname="Ours"))
    make_follow_up(past_call(make_account(team=make_team()), nickname="Theirs"))
    ours, all_of_them = Audience(Sight(all=False, teams=frozenset({team.pk})), "en"), Audience(Sight(all=True), "zh-hans")
    drawn = render.asides({}, [ours, all_of_them])
    [panel] = [aside for aside in drawn[ours] if 'id="follow-ups"' in aside]
    assert [name in panel for name in ("Ours", "Theirs")] == [True, False]
    assert "无人领取" in "".join(drawn[all_of_them])


def test_cards_offer_to_follow_up(account: Account, agent: Person) -> None:
    ringing, ended = make_call(account), past_call(account)
    shown = text_of(make_client(agent).get("/"))
    for call in (ringing, ended):
        assert f'hx-post="/calls/{call.pk}/follow-up/"' in shown


# The call's page


def test_the_calls_page_tells_who_added_took_and_did_it(account: Account, agent: Person) -> None:
    call = past_call(account)
    follow_up, client = make_follow_up(call), make_client(agent)
    act(client, "take", follow_up)
    act(client, "done", follow_up, note="called back")
    words = words_of(client.get(f"/history/{call.pk}/"))
    steps = ["by the team's setting", "Li Lei took the follow-up", "Li Lei followed up", "called back"]
    assert [words.index(step) for step in steps] == sorted(words.index(step) for step in steps)


def test_the_calls_page_offers_the_list_until_the_contact_is_on_it(account: Account, agent: Person) -> None:
    call = past_call(account)
    client = make_client(agent)
    assert "Put on the list to follow up" in words_of(client.get(f"/history/{call.pk}/"))
    client.post(f"/calls/{call.pk}/follow-up/")
    words = words_of(client.get(f"/history/{call.pk}/"))
    assert "On the list since this call" in words
    assert "Take Done…" in words


def test_another_call_of_somebody_on_the_list_leads_to_the_one_that_put_them_there(account: Account, agent: Person) -> None:
    contact = make_contact(account.app)
    first, second = (past_call(account, contact=contact) for _ in range(2))
    make_follow_up(first)
    shown = text_of(make_client(agent).get(f"/history/{second.pk}/"))
    assert f'<a href="/history/{first.pk}/">On the list since another call</a>' in shown


# History and reports


def three_calls(account: Account, agent: Person) -> tuple[Call, Call, Call]:
    """One to follow up, one that is followed up, and one that led to nothing."""
    return make_follow_up(past_call(account)).call, done(account, agent).call, past_call(account)


def test_history_finds_calls_by_what_they_led_to(account: Account, agent: Person) -> None:
    to_do, is_done, _other = three_calls(account, agent)
    again = done(account, agent).call
    make_follow_up(again)
    client = make_client(agent)
    assert set(rows(client.get("/history/?follow_up=open"))) == {to_do.pk, again.pk}
    assert rows(client.get("/history/?follow_up=done")) == [is_done.pk]
    assert set(rows(client.get("/history/?follow_up=any"))) == {to_do.pk, again.pk, is_done.pk}


def test_history_says_so_in_the_row_and_on_a_chip(account: Account, agent: Person) -> None:
    three_calls(account, agent)
    words = words_of(make_client(agent).get("/history/?follow_up=open"))
    assert "Follow-up: To follow up" in words
    assert words.count("To follow up") == 3  # a choice of the filter, the chip, the row


def test_a_state_that_is_none_finds_nothing(account: Account, agent: Person) -> None:
    three_calls(account, agent)
    assert rows(make_client(agent).get("/history/?follow_up=later")) == []


@pytest.mark.parametrize("query", ["", "follow_up=any", "follow_up=open", "follow_up=done"])
def test_the_figures_of_a_report_count_what_their_links_list(account: Account, agent: Person, query: str) -> None:
    three_calls(account, agent)
    make_follow_up(past_call(make_account(make_app(), team=make_team())))  # which the agent doesn't see
    client = make_client(agent)
    shown = client.get(f"/reports/follow-ups/?{query}")
    links = [
        (html.unescape(link), int(number)) for link, number in re.findall(r'<a href="([^"]+)">(\d+)</a>', text_of(shown))
    ]
    assert len(links) == {"": 3, "follow_up=any": 3}.get(query, 2)
    assert [len(rows(client.get(link))) for link, _number in links] == [number for _link, number in links]


def test_a_report_says_how_long_half_of_them_took(account: Account, agent: Person) -> None:
    now = timezone.now()
    for minutes in (5, 38, 600):
        make_follow_up(
            past_call(account, timedelta(hours=11)),
            added_at=now - timedelta(minutes=minutes),
            done_at=now,
            done_by=agent,
        )
    assert "Half done within 38 min" in words_of(make_client(agent).get("/reports/follow-ups/"))


def test_a_report_without_follow_ups_says_so(account: Account, agent: Person) -> None:
    past_call(account)
    assert "Half done within —" in words_of(make_client(agent).get("/reports/follow-ups/"))


def test_a_report_of_nonsense_is_refused(agent: Person) -> None:
    assert make_client(agent).get("/reports/follow-ups/?from=2026-02-30").status_code == 400
