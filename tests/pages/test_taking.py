""" "I take this one": who has it, who may take it over, and what the card and the call's page say of it."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calls import contact_data
from calls.live import render
from calls.live.render import Audience
from calls.models import Call, Person, Team
from calls.models.person import Sight
from calls.vendor.sandbox import Sandbox

from ..factory import make_account, make_app, make_call, make_client, make_person, make_team
from ..threads import at_once
from .reading import HARMLESS, HOSTILE, text_of, words_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
Role, Outcome = Person.Role, Call.Outcome


@pytest.fixture
def team() -> Team:
    return make_team()


@pytest.fixture
def call(team: Team) -> Call:
    return make_call(make_account(team=team))


def taker_of(call: Call) -> Person | None:
    return Call.objects.get(pk=call.pk).taken_by


def test_the_first_has_it_and_the_second_is_told_who(team: Team, call: Call) -> None:
    first, second = make_person(team, password=None, name="Ada"), make_person(team, password=None, name="Bea")
    for person in (first, second):
        answer = make_client(person).post(f"/calls/{call.pk}/take/", headers=HTMX)
        assert "Ada takes it" in words_of(answer)
    assert taker_of(call) == first
    taken = Call.objects.get(pk=call.pk)
    assert taken.version == call.version + 1
    assert taken.taken_at is not None


def test_taking_is_not_rejecting(team: Team, sandbox: Sandbox) -> None:
    sandbox.tokens.append("fixed")
    call = make_call(make_account(make_app(base_url=sandbox.url, access_token="fixed"), team=team))
    ada, bea = make_person(team, password=None), make_person(team, password=None)
    answer = make_client(ada).post(f"/calls/{call.pk}/take/", headers=HTMX)
    assert 'data-status="ringing"' in text_of(answer)
    assert "Reject" in text_of(answer)
    assert sandbox.rejects == []
    make_client(bea).post(f"/calls/{call.pk}/reject/", headers=HTMX)
    call.refresh_from_db()
    assert (call.outcome, call.claimed_by, call.taken_by) == (Outcome.REJECTED, bea, ada)


@pytest.mark.django_db(transaction=True)
def test_of_many_at_the_same_moment_one_has_it() -> None:
    call = make_call()
    people = [make_person(password=None) for _ in range(8)]
    taken = at_once(8, lambda number: Call.objects.take(call.pk, people[number]))
    assert taken.count(True) == 1
    assert taker_of(call) == people[taken.index(True)]


def test_who_has_it_gives_it_back_and_it_is_free_again(team: Team, call: Call) -> None:
    ada, bea = make_person(team, password=None, name="Ada"), make_person(team, password=None, name="Bea")
    make_client(ada).post(f"/calls/{call.pk}/take/", headers=HTMX)
    answer = make_client(ada).post(f"/calls/{call.pk}/give-back/", headers=HTMX)
    assert "I take this one" in words_of(answer)
    given_back = Call.objects.get(pk=call.pk)
    assert (given_back.taken_by, given_back.taken_at) == (None, None)
    make_client(bea).post(f"/calls/{call.pk}/take/", headers=HTMX)
    assert taker_of(call) == bea


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
def test_nobody_gives_back_what_somebody_else_has(team: Team, call: Call, role: str) -> None:
    ada, other = make_person(team, password=None), make_person(team, password=None, role=role)
    Call.objects.take(call.pk, ada)
    make_client(other).post(f"/calls/{call.pk}/give-back/", headers=HTMX)
    assert taker_of(call) == ada


def test_a_supervisor_takes_it_over_from_whom_the_page_shows(team: Team, call: Call) -> None:
    ada, bea = make_person(team, password=None), make_person(team, password=None)
    boss = make_person(password=None, role=Role.SUPERVISOR, name="Boss")
    Call.objects.take(call.pk, ada)
    client = make_client(boss)
    client.post(f"/calls/{call.pk}/take/", {"instead_of": bea.pk}, headers=HTMX)  # an older card
    assert taker_of(call) == ada
    client.post(f"/calls/{call.pk}/take/", headers=HTMX)
    assert taker_of(call) == ada
    answer = client.post(f"/calls/{call.pk}/take/", {"instead_of": ada.pk}, headers=HTMX)
    assert "Boss takes it" in words_of(answer)
    assert taker_of(call) == boss


@pytest.mark.parametrize("instead_of", ["theirs", "", "-1", "x", "9" * 30])
def test_an_agent_takes_nothing_over(team: Team, call: Call, instead_of: str) -> None:
    ada, bea = make_person(team, password=None), make_person(team, password=None)
    Call.objects.take(call.pk, ada)
    given = str(ada.pk) if instead_of == "theirs" else instead_of
    answer = make_client(bea).post(f"/calls/{call.pk}/take/", {"instead_of": given}, headers=HTMX)
    assert answer.status_code == 404
    assert taker_of(call) == ada


@pytest.mark.parametrize("address", ["take", "give-back"])
def test_another_teams_agent_finds_no_call_to_take_or_give_back(call: Call, address: str) -> None:
    stranger = make_client(make_person(make_team(), password=None))
    assert stranger.post(f"/calls/{call.pk}/{address}/", headers=HTMX).status_code == 404
    assert stranger.post(f"/calls/{'9' * 30}/{address}/", headers=HTMX).status_code == 404
    assert taker_of(call) is None


@pytest.mark.parametrize("address", ["take", "give-back"])
def test_nothing_is_taken_without_the_pages_token(team: Team, call: Call, address: str) -> None:
    client = make_client(make_person(team, password=None), enforce_csrf_checks=True)
    assert client.post(f"/calls/{call.pk}/{address}/", headers=HTMX).status_code == 403
    assert taker_of(call) is None


@pytest.mark.parametrize(
    "over",
    [{"outcome": Outcome.REJECTED}, {"ended_at": timezone.now()}, {"rings_until": timezone.now() - timedelta(seconds=1)}],
)
def test_what_is_over_is_neither_taken_nor_given_back(team: Team, over: dict[str, object]) -> None:
    ada = make_person(team, password=None)
    free, taken = (make_call(make_account(team=team), taken_by=by, **over) for by in (None, ada))
    client = make_client(ada)
    card = words_of(client.post(f"/calls/{free.pk}/take/", headers=HTMX))
    client.post(f"/calls/{taken.pk}/give-back/", headers=HTMX)
    assert "I take this one" not in card
    assert (taker_of(free), taker_of(taken)) == (None, ada)


def test_without_javascript_one_is_led_back_to_the_page_one_came_from(team: Team, call: Call) -> None:
    client = make_client(make_person(team, password=None))
    assert client.post(f"/calls/{call.pk}/take/").headers["Location"] == "/"
    answer = client.post(f"/calls/{call.pk}/give-back/", {"page": "call"})
    assert answer.headers["Location"] == f"/history/{call.pk}/"


def test_a_card_says_it_in_the_readers_language_and_a_name_is_only_a_name(team: Team, call: Call) -> None:
    Call.objects.take(call.pk, make_person(team, password=None, name=HOSTILE[:60]))
    drawn = render.cards([call.pk], [Audience(Sight(all=True), language) for language in ("zh-hans", "en")]).texts
    chinese, english = drawn.values()
    assert "来处理" in chinese
    assert "takes it" in english
    assert HARMLESS[:40] in english
    assert "<script>" not in english


def test_what_is_for_one_reader_alone_is_hidden_on_cards(team: Team, call: Call) -> None:
    """The page shows it to whom it is for, since cards are drawn for all."""
    Call.objects.take(call.pk, make_person(team, password=None))
    [card] = render.cards([call.pk], [Audience(Sight(all=True), "en")]).texts.values()
    assert re.findall(r'data-for="(\w+)" hidden', card) == ["taker", "supervisor"]


def test_a_missed_call_says_who_took_it(team: Team) -> None:
    ada = make_person(team, password=None, name="Ada")
    make_call(make_account(team=team), timezone.now() - timedelta(minutes=5), taken_by=ada, taken_at=timezone.now())
    assert "Ada took it" in words_of(make_client(ada).get("/"))


def test_the_calls_page_tells_it_in_its_timeline_and_offers_what_its_reader_may_do(team: Team, call: Call) -> None:
    ada, bea = make_person(team, password=None, name="Ada"), make_person(team, password=None, name="Bea")
    boss = make_person(password=None, role=Role.SUPERVISOR)
    assert "I take this one" in words_of(make_client(ada).get(f"/history/{call.pk}/"))
    Call.objects.take(call.pk, ada)
    pages = {person: words_of(make_client(person).get(f"/history/{call.pk}/")) for person in (ada, bea, boss)}
    for page in pages.values():
        assert "Ada takes it" in page
        assert "Taken by Ada" in page
    assert [("Give back" in page, "Take over" in page) for page in pages.values()] == [
        (True, False),
        (False, False),
        (False, True),
    ]


def test_the_contacts_export_tells_it(team: Team, call: Call) -> None:
    Call.objects.take(call.pk, make_person(team, password=None, name="Ada"))
    [exported] = contact_data.export(call.contact)["calls"]
    assert exported["taken_by"] == "Ada"
    assert exported["taken_at"]


def test_a_click_takes_few_queries(team: Team, call: Call, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    client = make_client(make_person(team, password=None))
    with django_assert_num_queries(6):
        client.post(f"/calls/{call.pk}/take/", headers=HTMX)
