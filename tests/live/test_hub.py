"""The hub by itself: sockets that can't keep up, and a channel layer that fails."""

import asyncio

import pytest

from calls.live import publish
from calls.live.hub import LONGEST_QUEUE, TOO_SLOW, Hub, Socket
from calls.live.render import Audience
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


@pytest.mark.django_db(transaction=True)
async def test_nothing_is_fetched_while_no_page_is_open(django_assert_num_queries: object) -> None:
    hub = Hub()
    hub.start()
    try:
        publish.calls_changed([1, 2, 3])
        await asyncio.sleep(0)
        async with asyncio.timeout(2):
            while publish._sending:
                await asyncio.sleep(0.01)
        assert hub._changed == set()
    finally:
        await hub.stop()


def test_publishing_without_a_server_neither_fails_nor_waits() -> None:
    publish.calls_changed([1])
    publish.boards_changed()
