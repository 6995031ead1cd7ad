"""The hub by itself: sockets that can't keep up, and a channel layer that fails."""

import asyncio
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from django.db import OperationalError

from calls.live import checks, publish, render
from calls.live import hub as hub_module
from calls.live.hub import Hub
from calls.live.render import Audience
from calls.live.sockets import LONGEST_QUEUE, TOO_SLOW, Socket
from calls.models.person import Sight


def make_socket(language: str = "en") -> Socket:
    return Socket(person_id=1, session_key="key", password="hash", audience=Audience(Sight(all=True), language))


async def test_a_socket_that_cannot_keep_up_is_closed() -> None:
    socket = make_socket()
    for number in range(LONGEST_QUEUE + 1):
        socket.put(f"text {number}")
    assert socket.queue.qsize() == 1
    assert socket.queue.get_nowait() == TOO_SLOW


async def test_a_socket_that_keeps_up_gets_every_text_in_order() -> None:
    socket = make_socket()
    for number in range(LONGEST_QUEUE):
        socket.put(f"text {number}")
    assert [socket.queue.get_nowait() for _ in range(LONGEST_QUEUE)] == [f"text {n}" for n in range(LONGEST_QUEUE)]


@asynccontextmanager
async def started(hub: Hub) -> AsyncIterator[Hub]:
    hub.start()
    try:
        yield hub
    finally:
        await hub.stop()


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


def test_publishing_without_a_server_neither_fails_nor_waits() -> None:
    publish.calls_changed([1])
    publish.boards_changed()
