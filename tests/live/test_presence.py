"""Who is online and what they look at: what a page may say, what hubs tell each other, and who is shown whom."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest
from asgiref.sync import sync_to_async
from pytest_django import DjangoAssertNumQueries

from calls import metrics
from calls.away import come_back, go_away
from calls.live import checks, presence, publish, render
from calls.live import hub as hub_module
from calls.live.hub import Hub
from calls.live.presence import People, Presence
from calls.live.render import Audience
from calls.live.sockets import Socket
from calls.models import Person, Team
from calls.models.person import Sight

from ..factory import make_account, make_call, make_person, make_team
from .test_hub import next_text, number_in, started, text_with

Role = Person.Role
SUPERVISORS = Sight(all=True)


# What a page says


def test_a_page_says_which_call_its_person_looks_at() -> None:
    assert presence.read('{"looking":7}') == 7
    assert presence.read('{"looking": 0}') == 0
    assert presence.read('{"looking": 9223372036854775807}') == 9223372036854775807


@pytest.mark.parametrize(
    "nonsense",
    [
        "",
        "<script>",
        "[" * 60,
        "7",
        "[7]",
        "null",
        '"looking"',
        '{"shown": []}',
        '{"looking": "7"}',
        '{"looking": 7.0}',
        '{"looking": true}',
        '{"looking": null}',
        '{"looking": [7]}',
        '{"looking": -1}',
        '{"looking": 9223372036854775808}',
        '{"looking": NaN}',
        '{"looking": 7, "padding": "' + "x" * 64 + '"}',
    ],
)
def test_what_no_page_of_ours_would_say_is_not_taken(nonsense: str) -> None:
    assert presence.read(nonsense) is None


# Hubs


def socket_of(person: Person, language: str = "en") -> Socket:
    return Socket(person.pk, "key", person.password, Audience(person.sight, language))


async def made_socket(*teams: Team, **fields: object) -> Socket:
    def make() -> Socket:
        return socket_of(make_person(*teams, password=None, **fields))

    return await sync_to_async(make)()


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "BEAT_EVERY", 0.02)
    monkeypatch.setattr(hub_module, "ASIDES_DRAWN_AFTER", 0.02)
    monkeypatch.setattr(hub_module, "GONE_AFTER", 0.05)
    monkeypatch.setattr(hub_module, "ASIDES_COMPARED_EVERY", 0.1)
    monkeypatch.setattr(presence, "EVERY", 0.1)
    monkeypatch.setattr(checks, "rights", lambda sockets: {socket: socket.audience.sight for socket in sockets})


@pytest.fixture
async def hubs(quick: None) -> AsyncIterator[tuple[Hub, Hub]]:
    """Of two processes, on one channel layer."""
    async with AsyncExitStack() as stack:
        yield (await stack.enter_async_context(started(Hub())), await stack.enter_async_context(started(Hub())))


async def shown(socket: Socket, words: str) -> str:
    """The next count of people that says this."""
    while True:
        text = await text_with(socket, 'id="people-count"')
        if f"{words}<" in text:
            return text


def names_in(text: str) -> list[str]:
    [listed] = re.findall(r'<ul id="people-list".*?</ul>', text, re.DOTALL)
    return re.findall(r"<bdi>(.*?)</bdi>", listed)


def lookers_in(text: str) -> list[tuple[int, str]]:
    [listed] = re.findall(r'<ul id="people-lookers".*?</ul>', text, re.DOTALL)
    return [(int(call), name) for call, name in re.findall(r'<li data-call="(\d+)" data-person="\d+">(.*?)</li>', listed)]


@pytest.mark.django_db(transaction=True)
async def test_whoever_is_at_another_process_is_online_too(hubs: tuple[Hub, Hub]) -> None:
    team = await sync_to_async(make_team)(name="After-sales")
    ada, bea = await made_socket(team, name="Ada"), await made_socket(team, name="Bea")
    hubs[0].join(ada)
    text = await shown(ada, "1 online")
    assert ("After-sales" in text, names_in(text)) == (True, ["Ada"])
    hubs[1].join(bea)
    assert names_in(await shown(ada, "2 online")) == ["Ada", "Bea"]
    assert names_in(await shown(bea, "2 online")) == ["Ada", "Bea"]
    hubs[1].leave(bea)
    assert names_in(await shown(ada, "1 online")) == ["Ada"]


@pytest.mark.django_db(transaction=True)
async def test_somebody_with_pages_at_both_processes_is_one_person(hubs: tuple[Hub, Hub]) -> None:
    team = await sync_to_async(make_team)()
    ada = await made_socket(team)
    again = Socket(ada.person_id, "key", ada.password, ada.audience)
    hubs[0].join(ada)
    hubs[1].join(again)
    await shown(again, "1 online")
    async with asyncio.timeout(5):
        while not hubs[1]._presence._others:
            await asyncio.sleep(0.01)
    assert set(hubs[1].online()) == {ada.person_id}


@pytest.mark.django_db(transaction=True)
async def test_what_somebody_looks_at_is_shown_at_both_processes_and_goes_with_them(hubs: tuple[Hub, Hub]) -> None:
    team = await sync_to_async(make_team)()
    call = await sync_to_async(lambda: make_call(make_account(team=team)))()
    ada, bea = await made_socket(team, name="Ada"), await made_socket(team, name="Bea")
    hubs[0].join(ada)
    hubs[1].join(bea)
    await shown(ada, "2 online")
    await shown(bea, "2 online")
    hubs[1].note_look(bea, call.pk)
    for socket in (ada, bea):
        assert lookers_in(await text_with(socket, 'id="people-lookers"')) == [(call.pk, "Bea")]
    hubs[1].leave(bea)
    while lookers_in(await text_with(ada, 'id="people-lookers"')):
        pass


@pytest.mark.django_db(transaction=True)
async def test_another_teams_agent_is_shown_neither_people_nor_what_they_look_at(hubs: tuple[Hub, Hub]) -> None:
    here, there = await sync_to_async(make_team)(), await sync_to_async(make_team)()
    call = await sync_to_async(lambda: make_call(make_account(team=here)))()
    ada, eve = await made_socket(here, name="Ada"), await made_socket(there, name="Eve")
    boss = await made_socket(role=Role.SUPERVISOR, name="Boss")
    for socket in (ada, eve, boss):
        hubs[0].join(socket)
    hubs[0].note_look(ada, call.pk)
    assert names_in(await shown(boss, "3 online")) == ["Ada", "Boss", "Eve"]
    assert names_in(await shown(eve, "2 online")) == ["Boss", "Eve"]
    assert names_in(await shown(ada, "2 online")) == ["Ada", "Boss"]
    hubs[0].note_look(eve, call.pk)  # a call that she may not see
    hubs[0].note_look(boss, call.pk)
    while (lookers := lookers_in(await text_with(ada, 'id="people-lookers"'))) != [(call.pk, "Ada"), (call.pk, "Boss")]:
        assert (call.pk, "Eve") not in lookers
    while not eve.queue.empty():
        assert "data-call" not in await next_text(eve)


@pytest.mark.django_db(transaction=True)
async def test_nothing_is_sent_while_nothing_changes(hubs: tuple[Hub, Hub]) -> None:
    team = await sync_to_async(make_team)()
    ada = await made_socket(team)
    hubs[0].join(ada)
    await shown(ada, "1 online")
    hubs[0].note_look(ada, 0)
    publish.asides_changed()
    await asyncio.sleep(0.4)  # many comparisons
    while not ada.queue.empty():
        assert "data-aside" not in await next_text(ada)


@pytest.mark.django_db(transaction=True)
async def test_only_what_changed_is_sent_and_it_raises_the_number(hubs: tuple[Hub, Hub]) -> None:
    team = await sync_to_async(make_team)()
    call = await sync_to_async(lambda: make_call(make_account(team=team)))()
    ada = await made_socket(team)
    hubs[0].join(ada)
    board = await shown(ada, "1 online")
    assert 'id="board"' in board
    for more, looked_at in enumerate((call.pk, 0), start=1):
        hubs[0].note_look(ada, looked_at)
        text = await text_with(ada, "data-aside")
        assert number_in(text) == number_in(board) + more
        assert 'id="people-lookers"' in text
        assert 'id="people-list"' not in text


@pytest.mark.django_db(transaction=True)
async def test_a_process_that_dies_is_forgotten(hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presence, "BELIEVED_FOR", 0.3)
    team = await sync_to_async(make_team)()
    ada, bea = await made_socket(team), await made_socket(team)
    hubs[0].join(ada)
    await shown(ada, "1 online")
    await publish.send({"type": "people", "process": "dead", "online": [[bea.person_id]]})
    await shown(ada, "2 online")
    await shown(ada, "1 online")


@pytest.mark.django_db(transaction=True)
async def test_people_of_a_server_that_stops_are_gone_at_once(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    team = await sync_to_async(make_team)()
    ada, bea = await made_socket(team), await made_socket(team)
    async with started(Hub()) as stays:
        async with started(Hub()) as stops:
            stays.join(ada)
            stops.join(bea)
            await shown(ada, "2 online")
        assert set(stops.online()) == {ada.person_id, bea.person_id}
        await shown(ada, "1 online")


@pytest.mark.django_db(transaction=True)
async def test_somebody_who_goes_away_is_said_to_be_and_returns_by_themselves(hubs: tuple[Hub, Hub]) -> None:
    team = await sync_to_async(make_team)()
    person = await sync_to_async(make_person)(team, password=None, name="Ada")
    ada = await sync_to_async(socket_of)(person)
    hubs[0].join(ada)
    await shown(ada, "1 online")
    await sync_to_async(go_away)(person, 15)
    text = await text_with(ada, "1 away")
    assert f'<li data-person="{person.pk}">until' in text
    await Person.objects.filter(pk=person.pk).aupdate(away_until=person.away_since)  # its end has come; nobody tells
    assert "is-away" not in await shown(ada, "1 online")
    await sync_to_async(go_away)(person, None)
    await text_with(ada, "1 away")
    await sync_to_async(come_back)(person)
    await shown(ada, "1 online")


@pytest.mark.django_db(transaction=True)
async def test_cards_go_on_where_what_stands_beside_them_fails(
    hubs: tuple[Hub, Hub], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*arguments: object) -> dict[Audience, render.Asides]:
        raise RuntimeError("a bug")

    monkeypatch.setattr(render, "asides", fails)
    ada = await made_socket(await sync_to_async(make_team)(), all_accounts=True)
    hubs[0].join(ada)
    await text_with(ada, 'id="board"')
    call = await sync_to_async(make_call)()
    publish.calls_changed([call.pk])
    await text_with(ada, f'id="call-{call.pk}"')
    assert 'id="beat"' in await next_text(ada)


@pytest.mark.django_db(transaction=True)
async def test_people_are_counted(hubs: tuple[Hub, Hub]) -> None:
    team = await sync_to_async(make_team)()
    ada, bea = await made_socket(team), await made_socket(team)
    hubs[0].join(ada)
    hubs[0].join(bea)
    await shown(ada, "2 online")
    assert "ringdesk_people_online 2.0" in metrics.as_text().decode()


def test_a_process_without_pages_tells_nothing_and_hears_itself_not() -> None:
    own = Presence()
    heard: People = {"type": "people", "process": own._process, "online": [[7]]}
    assert not own.hear(heard)
    assert own.online() == {}


def test_a_process_that_repeats_itself_changes_nothing() -> None:
    own = Presence()
    heard: People = {"type": "people", "process": "another", "online": [[7, 1, 2], [8]]}
    assert own.hear(heard)
    assert not own.hear(heard)
    assert own.online() == {7: frozenset({1, 2}), 8: frozenset()}
    assert own.hear({"type": "people", "process": "another", "online": []})
    assert own.online() == {}


# What is drawn


@pytest.mark.django_db
def test_what_somebody_is_called_is_only_a_name() -> None:
    team = make_team(name="<b>team</b>")
    person = make_person(team, password=None, name="<script>alert(1)</script>")
    audience = Audience(person.sight, "en")
    drawn = "".join(render.asides({person.pk: frozenset()}, [audience])[audience])
    assert "<script>" not in drawn
    assert "<b>" not in drawn


@pytest.mark.django_db
def test_it_is_drawn_in_the_readers_language() -> None:
    person = make_person(make_team(name="售后一组"), password=None)
    chinese, english = (Audience(person.sight, language) for language in ("zh-hans", "en"))
    drawn = render.asides({person.pk: frozenset()}, [chinese, english])
    assert "1 人在线" in drawn[chinese][0]
    assert "1 online" in drawn[english][0]


@pytest.mark.django_db
@pytest.mark.parametrize("number", [2, 40])
def test_the_same_is_asked_however_many_are_online(number: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    team = make_team()
    calls = [make_call(make_account(team=team)) for _ in range(3)]
    people = [make_person(team, password=None) for _ in range(number)]
    online = {person.pk: frozenset({call.pk for call in calls}) for person in people}
    audiences = [Audience(people[0].sight, "en"), Audience(SUPERVISORS, "en"), Audience(SUPERVISORS, "zh-hans")]
    with django_assert_num_queries(4 + 2):  # of these, one for each that sees something else
        drawn = render.asides(online, audiences)
    assert drawn[audiences[1]][3].count("data-call") == number * len(calls)


@pytest.mark.django_db
def test_only_so_many_are_listed_and_the_others_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("calls.live.people.PEOPLE_LISTED", 2)
    team = make_team()
    people = [make_person(team, password=None, name=name) for name in ("Ada", "Bea", "Cleo")]
    go_away(people[0], None)
    audience = Audience(people[0].sight, "en")
    drawn = "".join(render.asides({person.pk: frozenset() for person in people}, [audience])[audience])
    assert names_in(drawn) == ["Bea", "Cleo"]
    assert "and 1 more" in drawn
    assert f'<li data-person="{people[0].pk}">' in drawn  # known to be away all the same


@pytest.mark.django_db
def test_agents_without_a_team_are_shown_nobody_who_is_in_one() -> None:
    teamless, agent = make_person(password=None), make_person(make_team(), password=None)
    audience = Audience(teamless.sight, "en")
    drawn = "".join(render.asides({teamless.pk: frozenset(), agent.pk: frozenset()}, [audience])[audience])
    assert names_in(drawn) == [str(teamless)]
