"""A real browser."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from calls.vendor.sandbox import Sandbox
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.server import Server

from .install import chromium

# As a browser on a machine without a network wants it: nothing it does by itself goes out.
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
]

expect.set_options(timeout=10_000)

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Browsers load the machine, but for some of them at a time there is room: mostly they wait."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.waiting)


@pytest.fixture(autouse=True)
def empty_channel_layer() -> None:
    """It would need an event loop, and Playwright's is a running one."""


# One for a module, and no longer: to every other test Playwright's event loop would look like a running one as well.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        yield running
        running.close()


@pytest.fixture
def window(browser: Browser, server: Server) -> Iterator[Callable[..., BrowserContext]]:
    """Opens windows that share nothing, in a language; each must end without an error on its console."""
    with ExitStack() as windows:
        complaints: list[str] = []

        def open_window(language: str = "zh-hans", **options: object) -> BrowserContext:
            context = browser.new_context(**{"timezone_id": "Asia/Shanghai"} | options)
            context.add_cookies([{"name": "django_language", "value": language, "url": server.url}])
            context.on("weberror", lambda error: complaints.append(str(error.error)))
            windows.callback(context.close)
            return context

        yield open_window
        assert not complaints


@pytest.fixture
def sign_in(server: Server) -> Callable[[BrowserContext, str], Page]:
    """Signs in as a person would; the page then shows the board."""

    def fill_in(context: BrowserContext, username: str) -> Page:
        page = context.new_page()
        page.goto(server.url)
        page.fill("[name=username]", username)
        page.fill("[name=password]", PASSWORD)
        page.click("main button.primary")
        expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        return page

    return fill_in


@pytest.fixture
def lasting(server: Server, sandbox: Sandbox) -> Iterator[Desk]:
    """A desk whose calls ring until the test is over, so that no state passes while it is looked at."""
    desk = Desk(server, sandbox, ring_seconds=3600)
    yield desk
    over = "UPDATE calls_call SET rings_until = received_at WHERE account_id IN"
    server.sql(f"{over} (SELECT id FROM calls_account WHERE wxid LIKE ?)", f"{desk.wxid}%")  # noqa: S608


def give_session(context: BrowserContext, server: Server, username: str) -> None:
    """Sign in without a page of its own, so that the first page is the first that the browser loads."""
    cookies = server.sign_in(username, PASSWORD).cookies.items()
    context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies])
