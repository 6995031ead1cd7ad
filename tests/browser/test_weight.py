"""What the first board weighs on the wire, as the browser counts it: with headers, and with what the socket brings."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import BrowserContext, CDPSession, Page, expect

from tests.desk import Desk

from .conftest import give_session

pytestmark = pytest.mark.engineless

Window = Callable[..., BrowserContext]

FIRST_BOARD = 100_000  # bytes
RINGING = 7


class Scales:
    """Weighs all that a page loads, by address."""

    def __init__(self, page: Page) -> None:
        self.weighed: Counter[str] = Counter()
        self._asked: dict[str, str] = {}
        browser: CDPSession = page.context.new_cdp_session(page)
        browser.on(
            "Network.requestWillBeSent", lambda event: self._asked.update({event["requestId"]: event["request"]["url"]})
        )
        browser.on("Network.loadingFinished", self._loaded)
        browser.on("Network.webSocketFrameReceived", self._received)
        browser.send("Network.enable")

    def _loaded(self, event: dict) -> None:
        self.weighed[urlsplit(self._asked[event["requestId"]]).path] += event["encodedDataLength"]

    def _received(self, event: dict) -> None:
        self.weighed["the socket"] += len(event["response"]["payloadData"].encode())

    def __str__(self) -> str:
        return "\n".join(f"{weight:>8,.0f} {address}" for address, weight in self.weighed.most_common())


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_the_first_board_is_light(desk: Desk, window: Window, language: str) -> None:
    [agent] = desk.staffed(1)
    for number in range(RINGING):
        desk.call_pk(desk.call(chat_wxid=f"78813000000{number}"))
    context = window(language)
    give_session(context, desk.server, agent)
    page = context.new_page()
    scales = Scales(page)
    page.goto(desk.server.url, wait_until="networkidle")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#ringing .call")).to_have_count(RINGING)
    assert scales.weighed.total() < FIRST_BOARD, f"{scales.weighed.total():,.0f} bytes:\n{scales}"
    assert {"/", "the socket"} < scales.weighed.keys(), f"not all was weighed:\n{scales}"


def test_a_second_page_loads_no_file_again(desk: Desk, window: Window) -> None:
    [agent] = desk.staffed(1)
    context = window()
    give_session(context, desk.server, agent)
    page = context.new_page()
    page.goto(desk.server.url, wait_until="networkidle")
    scales = Scales(page)
    page.goto(f"{desk.server.url}/history/", wait_until="networkidle")
    loaded = {address for address, weight in scales.weighed.items() if weight and address.startswith("/static/")}
    assert not loaded


def test_modules_come_in_one_round_trip(desk: Desk, window: Window) -> None:
    """None is asked for by another: the page names them all."""
    [agent] = desk.staffed(1)
    context = window()
    give_session(context, desk.server, agent)
    page = context.new_page()
    page.goto(desk.server.url, wait_until="networkidle")
    named = page.locator("link[rel=modulepreload]").evaluate_all("links => links.map((link) => link.href)")
    loaded = page.evaluate("performance.getEntriesByType('resource').map(({ name }) => name)")
    modules = [address for address in loaded if "/dashboard/" in address and address.endswith(".js")]
    assert sorted(named) == sorted(modules)
