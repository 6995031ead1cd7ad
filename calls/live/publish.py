"""Telling every process's hub that something changed. Ids travel, never HTML: each hub fetches and renders for its pages."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TypedDict

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


_loop: asyncio.AbstractEventLoop | None = None
_sending: set[asyncio.Task[None]] = set()


def bind(loop: asyncio.AbstractEventLoop) -> None:
    """Publish by way of this event loop from now on."""
    global _loop
    _loop = loop


async def finish() -> None:
    """Send what was published by way of the loop; from now on publish by way of none in particular."""
    global _loop
    _loop = None
    await asyncio.sleep(0)  # what threads have handed over is taken up
    if _sending:
        await asyncio.wait(_sending, timeout=SENT_WITHIN)


def calls_changed(pks: Sequence[int]) -> None:
    """Have the cards of these calls sent to every page that shows them. For any thread, after the commit.

    Returns at once and never fails: the calls are stored, and pages refetch their board whenever they reconnect.
    """
    if pks:
        _publish({"type": "change", "calls": list(pks), "boards": False})


def boards_changed() -> None:
    """Have every page sent its whole board, since who sees what may be different."""
    _publish({"type": "change", "calls": [], "boards": True})


def _publish(change: Change) -> None:
    if _loop is not None and _loop.is_running():
        _loop.call_soon_threadsafe(_send_soon, change)
    else:
        async_to_sync(_send)(change)


def _send_soon(change: Change) -> None:
    task = asyncio.ensure_future(_send(change))
    _sending.add(task)  # the loop itself holds tasks only weakly
    task.add_done_callback(_sending.discard)


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
