"""What a hub believes: its own pulse, and what other processes say of the callbacks that wait on their disks."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from channels.layers import get_channel_layer

from calls import backlog
from calls.backlog import Backlog
from calls.live import publish, pulse
from calls.live.hub import Hub
from calls.live.pulse import Report

from ..factory import make_call
from .test_hub import DOUBTFUL, hub, make_socket, next_text, started, text_with, text_without

__all__ = ["hub"]  # the fixture

pytestmark = pytest.mark.django_db(transaction=True)

SINCE = datetime(2026, 11, 29, 8, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def nothing_waits_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(backlog, "_others", {})


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "EVERY", 0.02)
    monkeypatch.setattr(pulse, "BACK_WITHIN", 0.2)


@pytest.fixture
def lossy(monkeypatch: pytest.MonkeyPatch, quick: None) -> list[bool]:
    """A channel layer that loses everything without a word, while this list holds something."""
    loses: list[bool] = []
    send = publish.send

    async def perhaps(message: Mapping[str, Any]) -> None:
        if not loses:
            await send(message)

    monkeypatch.setattr(publish, "send", perhaps)
    return loses


def report(waiting: int, process: str = "another") -> Report:
    since = SINCE.isoformat() if waiting else None
    return {"type": "report", "process": process, "number": 1, "sent_at": 0.0, "waiting": waiting, "since": since}


async def test_no_page_is_told_that_it_is_live_while_the_channel_layer_loses_everything(hub: Hub, lossy: list[bool]) -> None:
    early, late = make_socket(), make_socket()
    hub.join(early)
    await text_with(early, 'id="board"')
    lossy.append(True)
    await text_with(early, DOUBTFUL)
    hub.join(late)
    assert DOUBTFUL in await text_with(late, 'id="board"')
    lossy.clear()
    for socket in (early, late):
        await text_without(socket, DOUBTFUL, 'id="board"')


async def test_calls_are_shown_also_while_the_channel_layer_loses_everything(hub: Hub, lossy: list[bool]) -> None:
    socket = make_socket()
    hub.join(socket)
    await text_with(socket, 'id="board"')
    lossy.append(True)
    await text_with(socket, DOUBTFUL)
    call = await asyncio.to_thread(make_call)
    assert DOUBTFUL in await text_with(socket, f'id="call-{call.pk}"')


async def test_pages_get_a_fresh_board_after_something_was_lost(hub: Hub, lossy: list[bool]) -> None:
    socket = make_socket()
    hub.join(socket)
    await text_with(socket, 'id="board"')
    lossy.append(True)
    await asyncio.sleep(0.1)  # a few reports, and too short for anybody to call the layer dead
    lossy.clear()
    assert await text_with(socket, 'id="board"')


async def test_while_nothing_is_lost_no_board_is_sent_twice(hub: Hub, quick: None) -> None:
    socket = make_socket()
    hub.join(socket)
    await text_with(socket, 'id="board"')
    await asyncio.sleep(0.3)  # many reports
    while not socket.queue.empty():
        assert 'id="board"' not in str(socket.queue.get_nowait())


async def test_a_subscription_that_was_lost_is_made_anew(hub: Hub, quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "GIVEN_UP_AFTER", 0.3)
    socket = make_socket()
    hub.join(socket)
    await text_with(socket, 'id="board"')
    await get_channel_layer().flush()
    assert await text_with(socket, 'id="board"')
    assert 'id="beat"' in await next_text(socket)


# What waits elsewhere


async def test_while_callbacks_wait_in_another_process_no_page_is_told_that_it_is_live(hub: Hub) -> None:
    early, late = make_socket(), make_socket()
    hub.join(early)
    await text_with(early, 'id="board"')
    await publish.send(report(waiting=3))
    await text_with(early, DOUBTFUL)
    hub.join(late)
    assert DOUBTFUL in await text_with(late, 'id="board"')
    await publish.send(report(waiting=0))
    for socket in (early, late):
        await text_without(socket, DOUBTFUL, 'id="board"')


async def test_a_process_that_stops_takes_back_what_it_said(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[int] = []
    send = publish.send

    async def overheard(message: Mapping[str, Any]) -> None:
        said.append(message["waiting"])
        await send(message)

    monkeypatch.setattr(publish, "send", overheard)
    backlog.note(2)
    async with started(Hub()):
        while 2 not in said:
            await asyncio.sleep(0.01)
        backlog.note(0)
    assert said[-1] == 0


def test_what_waits_is_the_sum_over_all_processes_since_the_first_of_them() -> None:
    backlog.heard("another", Backlog(3, SINCE))
    backlog.heard("a third", Backlog(4, datetime(2026, 11, 29, 9, 0, tzinfo=UTC)))
    backlog.note(1)
    try:
        assert backlog.waiting() == (8, SINCE)
    finally:
        backlog.note(0)
    backlog.heard("another", Backlog(0, None))
    assert backlog.waiting().callbacks == 4


def test_a_process_that_has_fallen_silent_is_believed_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    backlog.heard("another", Backlog(3, SINCE))
    assert backlog.waiting().callbacks == 3
    monkeypatch.setattr(backlog, "BELIEVED_FOR", 0.0)
    assert backlog.waiting() == (0, None)


async def test_a_hub_stops_though_the_channel_layer_swallows_a_cancellation(
    quick: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `asyncio.wait_for` does, by which Redis is waited for."""
    sending, over = asyncio.Event(), asyncio.Event()

    async def swallows(message: Mapping[str, Any]) -> None:
        sending.set()
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            if over.is_set():
                raise

    hub = Hub()
    hub.start()
    monkeypatch.setattr(publish, "send", swallows)
    sending.clear()
    await sending.wait()
    [reporting] = [task for task in asyncio.all_tasks() if "keep_sending" in repr(task)]
    try:
        async with asyncio.timeout(5):
            await hub.stop()
        assert reporting.done()
    finally:
        over.set()
