from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from channels.layers import get_channel_layer

from calls.live import publish


class SlowLayer:
    """Takes a message only when it is told to."""

    def __init__(self) -> None:
        self.sent: list[Any] = []
        self.may_go_on = asyncio.Semaphore(0)

    async def group_send(self, group: str, message: Any) -> None:
        self.sent.append(message)
        await self.may_go_on.acquire()


@pytest_asyncio.fixture
async def layer(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SlowLayer]:
    layer = SlowLayer()
    monkeypatch.setattr(get_channel_layer(), "group_send", layer.group_send)
    publish.bind(asyncio.get_running_loop())
    yield layer
    layer.may_go_on = asyncio.Semaphore(10)
    await publish.finish()


async def taken_up() -> None:
    """What was published has come to the event loop, and from there to the layer."""
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_published_while_a_message_is_under_way_goes_out_as_one(layer: SlowLayer) -> None:
    publish.calls_changed([1])
    await taken_up()
    publish.calls_changed([2, 3])
    publish.calls_changed([3, 4])
    publish.boards_changed()
    await taken_up()
    assert layer.sent == [{"type": "change", "calls": [1], "boards": False}]
    layer.may_go_on.release()
    await taken_up()
    assert layer.sent[1:] == [{"type": "change", "calls": [2, 3, 4], "boards": True}]
    layer.may_go_on.release()
    await taken_up()
    assert len(layer.sent) == 2


async def test_what_could_not_be_sent_keeps_back_nothing_that_follows(
    layer: SlowLayer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publish, "SENT_WITHIN", 0.05)
    publish.calls_changed([1])
    await taken_up()
    publish.calls_changed([2])
    async with asyncio.timeout(5):
        while len(layer.sent) < 2:
            await asyncio.sleep(0.01)
    assert layer.sent[1]["calls"] == [2]


async def test_what_is_still_to_be_sent_is_waited_for_at_the_end(layer: SlowLayer) -> None:
    publish.calls_changed([1])
    await taken_up()
    publish.calls_changed([2])
    ending = asyncio.ensure_future(publish.finish())
    await taken_up()
    assert not ending.done()
    layer.may_go_on.release()
    layer.may_go_on.release()
    await ending
    assert [message["calls"] for message in layer.sent] == [[1], [2]]
