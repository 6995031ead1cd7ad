"""Telling every process's hub that something changed. Ids travel, never HTML: each hub fetches and renders for its pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NotRequired, TypedDict

from asgiref.sync import async_to_sync
from channels.layers import get_channel_layer

logger = logging.getLogger(__name__)

GROUP = "board"
SENT_WITHIN = 3.0  # seconds


class Change(TypedDict):
    """One message on the channel layer."""

    type: Literal["change"]
    calls: list[int]  # ids of calls whose card is new or different
    boards: bool  # whether whole boards must be sent anew
    asides: NotRequired[bool]  # whether what stands beside the cards may be different


class _Outbox:
    """What is to be sent by way of an event loop: one message at a time, and what comes meanwhile gathers for the next. So a
    channel layer that is slow makes messages longer, and not more."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._calls: dict[int, None] = {}  # in the order in which they came
        self._boards = self._asides = False
        self._sending: asyncio.Task[None] | None = None

    def put(self, change: Change) -> None:
        """For the loop's thread."""
        self._calls |= dict.fromkeys(change["calls"])
        self._boards |= change["boards"]
        self._asides |= change.get("asides", False)
        if self._sending is None or self._sending.done():
            self._sending = asyncio.ensure_future(self._send_all())

    async def finish(self) -> None:
        await asyncio.sleep(0)  # what threads have handed over is taken up
        if self._sending is not None:
            await asyncio.wait([self._sending], timeout=SENT_WITHIN)

    async def _send_all(self) -> None:
        while self._calls or self._boards or self._asides:
            change: Change = {"type": "change", "calls": list(self._calls), "boards": self._boards}
            if self._asides:
                change["asides"] = True
            self._calls, self._boards, self._asides = {}, False, False
            await _send(change)


_outbox: _Outbox | None = None


def bind(loop: asyncio.AbstractEventLoop) -> None:
    """Publish by way of this event loop from now on."""
    global _outbox
    _outbox = _Outbox(loop)


async def finish() -> None:
    """Send what was published by way of the loop; from now on publish by way of none in particular."""
    global _outbox
    outbox, _outbox = _outbox, None
    if outbox is not None:
        await outbox.finish()


def calls_changed(pks: Sequence[int]) -> None:
    """Have the cards of these calls sent to every page that shows them. For any thread, after the commit.

    Returns at once and never fails: the calls are stored, and pages refetch their board whenever they reconnect.
    """
    if pks:
        _publish({"type": "change", "calls": list(pks), "boards": False})


def boards_changed() -> None:
    """Have every page sent its whole board, since who sees what may be different."""
    _publish({"type": "change", "calls": [], "boards": True})


def asides_changed() -> None:
    """Have what stands beside the cards drawn anew, and sent to the pages where it is different. For any thread, after the
    commit."""
    _publish({"type": "change", "calls": [], "boards": False, "asides": True})


def _publish(change: Change) -> None:
    if _outbox is not None and _outbox.loop.is_running():
        _outbox.loop.call_soon_threadsafe(_outbox.put, change)
    else:
        async_to_sync(_send)(change)


async def _send(change: Change) -> None:
    try:
        await send(change)
    except Exception:
        # The channel layer is out of reach. What was stored stays stored, so nobody's work fails over it.
        logger.exception("a change could not be published")


async def send(message: Mapping[str, Any]) -> None:
    """To every hub. Raises: whatever the channel layer does; TimeoutError."""
    layer = get_channel_layer()
    assert layer is not None
    async with asyncio.timeout(SENT_WITHIN):  # else more and more would wait for one that hangs
        await layer.group_send(GROUP, message)


def layer_answers() -> bool:
    """Whether the channel layer can be reached."""
    try:
        async_to_sync(_probe)()
    except Exception:
        logger.exception("the channel layer can't be reached")
        return False
    return True


async def _probe() -> None:
    layer = get_channel_layer()
    assert layer is not None
    async with asyncio.timeout(2):
        await layer.group_send("probe", {"type": "probe"})
