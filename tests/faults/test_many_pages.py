"""A burst of calls with very many pages open, one of which has stopped reading."""

from __future__ import annotations

import asyncio
import resource
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.waiting import eventually

from .load import percentile, spread, traffic_to
from .pages import cookie_of, open_pages
from .scene import Scene

pytestmark = pytest.mark.alone

CALLS = 200
LINES = 16
FILES_BESIDES = 300  # that this process has open
SHOWN_WITHIN = 30.0  # seconds
CLOSED_WITHIN = 60.0  # seconds


@contextmanager
def page_that_does_not_read(scene: Scene) -> Iterator[None]:
    """A socket that was opened as a browser does it, on a machine that then went to sleep."""
    with socket.socket() as page:
        page.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        page.settimeout(10)
        page.connect(("127.0.0.1", scene.server.port))
        head = (
            "GET /ws/board/ HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
            "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            f"Cookie: {cookie_of(scene.desk, scene.agent)}\r\n\r\n"
        )
        page.sendall(head.encode())
        assert page.recv(12) == b"HTTP/1.1 101"
        yield


def test_a_burst_is_shown_on_every_page_whoever_has_stopped_reading(
    scene: Scene, full: bool, say: Callable[[str], None]
) -> None:
    pages = 1000 if full else 200
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, max(soft, pages + FILES_BESIDES)), hard))

    async def run() -> None:
        async with (
            traffic_to(scene.desk, LINES) as traffic,
            open_pages(scene.desk, scene.agent, pages) as wall,
        ):
            with page_that_does_not_read(scene):
                await asyncio.to_thread(eventually, lambda: scene.metric("ringdesk_open_sockets") == pages + 1)
                began = time.perf_counter()
                await traffic.rush(CALLS, LINES)
                pushed = time.perf_counter() - began
                assert set(traffic.statuses) == {200}
                pks = scene.pks(traffic.pushed)
                await wall.show(pks, SHOWN_WITHIN)
                took = [max(page.shown.values()) - began for page in wall.pages]
                scene.reject_some(pks)
                n = len(traffic.pushed)
                say(
                    f"{pages} pages, {CALLS} calls pushed within {pushed:.2f} s; {spread(traffic.answers)}; "
                    f"all shown after {percentile(took, 0.5):.0f} ms on half of the pages, {1000 * max(took):.0f} ms on "
                    f"the last; sent {n}, stored {len(pks)}, shown {len(pks)} on each page, rejected exactly once"
                )
                assert len(pks) == n
                assert min(page.opened for page in wall.pages) == max(page.opened for page in wall.pages) == 1
                if full:  # it never spoke, so this is found out by a ping that is not answered, which takes 40 s
                    await _closed(scene, pages)
                    say(f"the page that does not read was closed after {time.perf_counter() - began:.1f} s")

    asyncio.run(run())


async def _closed(scene: Scene, pages: int) -> None:
    """Until the server has let go of the page that does not read."""
    async with asyncio.timeout(CLOSED_WITHIN):
        while await asyncio.to_thread(scene.metric, "ringdesk_open_sockets") > pages:
            await asyncio.sleep(0.2)
