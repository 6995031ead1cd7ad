"""The hub by itself: sockets that can't keep up, and a channel layer that fails."""

import asyncio
import contextlib
import re
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from asgiref.sync import sync_to_async
from django.db import OperationalError

from calls import backlog
from calls.live import checks, publish, render
from calls.live import hub as hub_module
from calls.live.frames import Text
from calls.live.hub import Hub
from calls.live.render import Audience
from calls.live.sockets import LONGEST_QUEUE, SILENT, TOO_SLOW, Socket
from calls.models import Account, Call
from calls.models.person import Sight

from ..factory import make_account, make_call, make_team

DOUBTFUL = "data-doubtful"  # what every text says while calls may be known that no page can be shown


def make_socket(language: str = "en") -> Socket:
    return Socket(person_id=1, session_key="key", password="hash", audience=Audience(Sight(all=True), language))


async def test_a_socket_that_cannot_keep_up_is_closed() -> None:
    socket = make_socket()
    for number in range(LONGEST_QUEUE + 1):
        socket.put(Text(f"text {number}"))
    assert socket.queue.qsize() == 1
    assert socket.queue.get_nowait() == TOO_SLOW


async def test_a_socket_that_keeps_up_gets_every_text_in_order() -> None:
    socket = make_socket()
    for number in range(LONGEST_QUEUE):
        socket.put(Text(f"text {number}"))
    assert [socket.queue.get_nowait() for _ in range(LONGEST_QUEUE)] == [f"text {n}" for n in range(LONGEST_QUEUE)]


@asynccontextmanager
async def started(hub: Hub) -> AsyncIterator[Hub]:
    hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


@pytest.fixture
async def hub(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Hub]:
    """One that is quick to beat and to compare, and lets every socket look."""
    monkeypatch.setattr(hub_module, "BEAT_EVERY", 0.02)
    monkeypatch.setattr(hub_module, "CALLS_COMPARED_EVERY", 0.02)
    monkeypatch.setattr(checks, "rights", lambda sockets: {socket: socket.audience.sight for socket in sockets})
    async with started(Hub()) as running:
        yield running


async def text_with(socket: Socket, part: str) -> str:
    """The next text that holds this."""
    while part not in (text := await next_text(socket)):
        pass
    return text


async def text_without(socket: Socket, part: str, what_it_is: str) -> None:
    """Until a text comes without this part, which must be such a one."""
    while part in (text := await next_text(socket)):
        pass
    assert what_it_is in text


async def next_text(socket: Socket) -> str:
    async with asyncio.timeout(5):
        return str(await socket.queue.get())


@pytest.mark.django_db(transaction=True)
async def test_nothing_is_noted_while_no_page_is_open(monkeypatch: pytest.MonkeyPatch) -> None:
    hub, noted = Hub(), asyncio.Queue[set[int]]()
    note = hub._note

    def watched(change: publish.Change) -> None:
        note(change)
        noted.put_nowait(set(hub._changed))

    monkeypatch.setattr(hub, "_note", watched)
    async with started(hub):
        # The subscription may not stand yet, so the change is published until it was taken.
        async with asyncio.timeout(5):
            while noted.empty():
                publish.calls_changed([1, 2, 3])
                await asyncio.sleep(0.01)
        assert noted.get_nowait() == set()


@pytest.mark.django_db(transaction=True)
async def test_the_board_comes_before_every_card(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for a page that joins while cards are being drawn."""
    early, late = make_socket(), make_socket()
    drawing, joined = threading.Event(), threading.Event()

    def cards(changed: set[int], audiences: set[Audience]) -> render.Rendered:
        drawing.set()
        assert joined.wait(5)
        return render.Rendered(texts=dict.fromkeys(audiences, "cards"))

    monkeypatch.setattr(render, "boards", lambda audiences: render.Rendered(texts=dict.fromkeys(audiences, "board")))
    monkeypatch.setattr(render, "cards", cards)
    async with started(Hub()) as hub:
        hub.join(early)
        assert (await next_text(early)).startswith("board")
        hub._note({"type": "change", "calls": [1], "boards": False})
        assert await asyncio.to_thread(drawing.wait, 5)
        hub.join(late)
        joined.set()
        assert (await next_text(early)).startswith("cards")
        assert (await next_text(late)).startswith("board")


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("broken", ["boards", "cards"])
async def test_no_page_is_told_that_it_is_live_while_it_cannot_be_sent_what_it_should(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    failed = threading.Event()

    def fails(*arguments: object) -> render.Rendered:
        failed.set()
        raise OperationalError("the database is away")

    monkeypatch.setattr(hub_module, "BEAT_EVERY", 0.01)
    monkeypatch.setattr(checks, "rights", lambda sockets: {socket: socket.audience.sight for socket in sockets})
    monkeypatch.setattr(render, "boards", lambda audiences: render.Rendered(texts=dict.fromkeys(audiences, "board")))
    monkeypatch.setattr(render, broken, fails)
    socket = make_socket()
    async with started(Hub()) as hub:
        hub.join(socket)
        if broken.startswith("cards"):
            assert (await next_text(socket)).startswith("board")
            hub._note({"type": "change", "calls": [1], "boards": False})
        assert await asyncio.to_thread(failed.wait, 5)
        while not socket.queue.empty():  # what was sent before the failure
            socket.queue.get_nowait()
        await asyncio.sleep(0.3)  # many beats
        assert socket.queue.empty()
        monkeypatch.setattr(render, broken, lambda *_: render.Rendered(texts={socket.audience: "healed"}))
        assert (await next_text(socket)).startswith("healed")
        assert 'id="beat"' in await next_text(socket)


# Numbers


def number_in(text: str) -> int:
    [number] = re.findall(r'<i id="beat" data-seq="(\d+)"', text)
    return int(number)


@pytest.mark.django_db(transaction=True)
async def test_cards_raise_the_number_and_boards_and_beats_carry_it(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    monkeypatch.setattr(render, "cards", lambda changed, audiences: render.Rendered(texts=dict.fromkeys(audiences, "cards")))
    first, second = make_socket(), make_socket()
    hub.join(first)
    number = number_in(await next_text(first))
    for more in (1, 2, 3):
        hub._note({"type": "change", "calls": [1], "boards": False})
        while not (text := await next_text(first)).startswith("cards"):
            assert number_in(text) == number + more - 1
        assert number_in(text) == number + more
    hub.join(second)
    assert number_in(await next_text(second)) == number + 3
    assert number_in(await next_text(second)) == number + 3


@pytest.mark.django_db(transaction=True)
async def test_what_others_are_sent_raises_no_number(hub: Hub) -> None:
    call = await asyncio.to_thread(make_call)
    teams, all_seeing = make_socket(), make_socket()
    teams.audience = Audience(Sight(all=False), "en")
    hub.join(teams)
    hub.join(all_seeing)
    before = number_in(await next_text(teams))
    assert number_in(await next_text(all_seeing)) == 0
    hub._note({"type": "change", "calls": [call.pk], "boards": False})
    while number_in(await next_text(all_seeing)) == 0:
        pass
    for _ in range(3):
        assert number_in(await next_text(teams)) == before


# Comparing with the database


@pytest.mark.django_db(transaction=True)
async def test_what_was_never_published_is_found(hub: Hub) -> None:
    early = await asyncio.to_thread(make_call)
    socket = make_socket()
    hub.join(socket)
    await text_with(socket, f'id="call-{early.pk}"')
    new = await asyncio.to_thread(make_call)
    assert 'data-status="ringing"' in await text_with(socket, f'id="call-{new.pk}"')
    changed = Call.objects.filter(pk=early.pk)
    await changed.aupdate(outcome=Call.Outcome.UNCONFIRMED, version=1)
    assert 'data-status="unconfirmed"' in await text_with(socket, f'id="call-{early.pk}"')
    await changed.aupdate(outcome=Call.Outcome.REJECTED, version=2)
    assert 'data-status="rejected"' in await text_with(socket, f'id="call-{early.pk}"')


@pytest.mark.django_db(transaction=True)
async def test_what_is_shown_as_it_is_is_not_sent_again(hub: Hub) -> None:
    call = await asyncio.to_thread(make_call)
    socket = make_socket()
    hub.join(socket)
    await text_with(socket, f'id="call-{call.pk}"')
    await asyncio.sleep(0.2)  # many comparisons
    while not socket.queue.empty():
        assert "<article" not in str(socket.queue.get_nowait())


def test_of_calls_older_than_those_compared_nothing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checks, "CALLS_COMPARED", 2)
    assert checks.differing({1: 0, 5: 0, 6: 0}, {5: 0, 7: 0}) == {6, 7}
    assert checks.differing({1: 0, 5: 0}, {5: 0}) == {1}


# Silence


@pytest.mark.django_db(transaction=True)
async def test_a_page_that_spoke_and_fell_silent_is_closed(monkeypatch: pytest.MonkeyPatch, hub: Hub) -> None:
    monkeypatch.setattr(hub_module, "SILENCE_ALLOWED", 0.1)
    spoke, never_speaks = make_socket(), make_socket()
    hub.join(never_speaks)
    hub.join(spoke)
    hub.hear(spoke, [])
    while await next_text(spoke) != str(SILENT):
        pass
    for _ in range(3):
        assert "beat" in await next_text(never_speaks)


@pytest.mark.django_db(transaction=True)
async def test_no_page_is_told_that_it_is_live_while_callbacks_wait_for_the_database(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(hub_module, "BEAT_EVERY", 0.01)
    monkeypatch.setattr(checks, "rights", lambda sockets: {socket: socket.audience.sight for socket in sockets})
    early, late = make_socket(), make_socket()
    async with started(Hub()) as hub:
        hub.join(early)
        assert 'id="board"' in str(await next_text(early))
        backlog.note(1)
        try:
            await text_with(early, DOUBTFUL)
            hub.join(late)
            assert DOUBTFUL in await text_with(late, 'id="board"')
            for socket in (early, late):
                assert DOUBTFUL in await next_text(socket)
        finally:
            backlog.note(0)
        for socket in (early, late):
            await text_without(socket, DOUBTFUL, 'id="board"')
            assert DOUBTFUL not in await next_text(socket)


@pytest.mark.django_db(transaction=True)
async def test_no_page_is_told_that_it_is_live_while_a_check_hangs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "BEAT_EVERY", 0.01)
    monkeypatch.setattr(hub_module, "TRUSTED_FOR", 0.2)
    monkeypatch.setattr(hub_module, "RIGHTS_CHECKED_EVERY", 0.02)
    monkeypatch.setattr(hub_module, "CALLS_COMPARED_EVERY", 0.02)
    monkeypatch.setattr(checks, "rights", lambda sockets: {socket: socket.audience.sight for socket in sockets})
    hangs, let_go = threading.Event(), threading.Event()
    socket = make_socket()
    async with started(Hub()) as hub:
        hub.join(socket)
        assert 'id="board"' in str(await next_text(socket))

        def hang() -> checks.Versions:
            hangs.set()
            assert let_go.wait(5)
            return {}

        monkeypatch.setattr(checks, "active_versions", hang)
        assert await asyncio.to_thread(hangs.wait, 5)
        await asyncio.sleep(0.4)
        while not socket.queue.empty():  # what was sent before
            socket.queue.get_nowait()
        await asyncio.sleep(0.3)  # many beats
        assert socket.queue.empty()
        let_go.set()
        assert 'id="beat"' in str(await next_text(socket))


@pytest.mark.django_db(transaction=True)
async def test_an_account_that_is_moved_there_and_back_leaves_no_board_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its board was drawn while the account was elsewhere, and by the next look all is as it was at the last one."""
    monkeypatch.setattr(checks, "rights", lambda sockets: {socket: socket.audience.sight for socket in sockets})
    account = await sync_to_async(make_account)()
    team, other = await sync_to_async(make_team)(), await sync_to_async(make_team)()
    await Account.objects.filter(pk=account.pk).aupdate(team=team)
    hub = Hub()
    hub._assignments = await sync_to_async(checks.assignments)()  # of boards that were sent before
    await Account.objects.filter(pk=account.pk).aupdate(team=other)
    socket = make_socket()
    async with started(hub):
        hub.join(socket)
        assert 'id="board"' in str(await next_text(socket))
        with contextlib.suppress(TimeoutError):  # and perhaps another one, once the subscription stands
            async with asyncio.timeout(0.3):
                await socket.queue.get()
        await Account.objects.filter(pk=account.pk).aupdate(team=team)
        async with asyncio.timeout(5):
            while 'id="board"' not in str(await socket.queue.get()):
                pass


def test_publishing_without_a_server_neither_fails_nor_waits() -> None:
    publish.calls_changed([1])
    publish.boards_changed()
