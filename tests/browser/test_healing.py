"""Pages that lost something come back to what is, by themselves and soon; and they confirm what they have shown."""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from calls.vendor.sandbox import Sandbox
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.server import Server, running_server

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

SOCKET = "**/ws/board/**"
HIDE = "Object.defineProperty(document, 'hidden', {{ get: () => {0}, configurable: true }})"


def already_signed_in(server: Server, context: BrowserContext, username: str) -> Page:
    """A page on which nothing has been clicked, so that browsers give it no sound."""
    cookies = server.sign_in(username, PASSWORD).cookies.items()
    context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies])
    page = context.new_page()
    page.goto(server.url)
    return page


def confirmed(page: Page, desk: Desk, pk: int, screens: int, with_sound: int = 0) -> None:
    """Wait until so many screens are on record, while the page and what stands between it and the server go on."""
    give_up_at = time.monotonic() + 10
    while time.monotonic() < give_up_at:
        [counts] = desk.server.sql("SELECT screens, screens_with_sound FROM calls_call WHERE id = ?", pk)
        if counts == (screens, with_sound):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"on record: {counts}")


def wait_for(happened: Callable[[], bool], page: Page) -> None:
    give_up_at = time.monotonic() + 10
    while not happened():
        assert time.monotonic() < give_up_at
        page.wait_for_timeout(50)


# Lost messages


@pytest.mark.parametrize("nth", [2, 3, 5])
def test_a_page_that_loses_every_so_many_messages_shows_every_call(
    desk: Desk, window: Window, sign_in: SignIn, nth: int
) -> None:
    [agent] = desk.staffed(1)
    context = window()
    page = sign_in(context, agent)

    def lossy(page_side: WebSocketRoute) -> None:
        server_side, number = page_side.connect_to_server(), count(1)
        server_side.on_message(lambda message: None if next(number) % nth == 0 else page_side.send(message))

    context.route_web_socket(SOCKET, lossy)
    page.reload()
    page.evaluate("window.notReloaded = true")
    pks = [desk.call_pk(desk.call(chat_wxid=f"78813{number}")) for number in range(6)]
    for pk in pks:
        expect(page.locator(f"#call-{pk}")).to_be_visible()
    page.locator(f"#call-{pks[0]} button.reject").click()
    expect(page.locator(f"#call-{pks[0]}")).to_have_attribute("data-status", "rejected")
    assert page.evaluate("window.notReloaded")


def test_one_lost_card_is_found_missing_and_the_page_never_says_that_it_is_stale(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    [agent] = desk.staffed(1)
    opened: list[WebSocketRoute] = []
    lost: list[str | bytes] = []
    context = window()

    def loses_the_first_card(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        opened.append(page_side)

        def forward(message: str | bytes) -> None:
            if not lost and "<article" in str(message) and 'id="board"' not in str(message):
                lost.append(message)
            else:
                page_side.send(message)

        server_side.on_message(forward)

    context.route_web_socket(SOCKET, loses_the_first_card)
    page = sign_in(context, agent)
    before = len(opened)
    page.evaluate(
        "new MutationObserver(() => { window.wasStale ||= document.documentElement.dataset.connection === 'stale' })"
        ".observe(document.documentElement, { attributes: true })"
    )
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    assert lost
    assert len(opened) == before + 1
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    assert not page.evaluate("window.wasStale")


def test_a_page_that_missed_nothing_keeps_its_socket(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    opened: list[WebSocketRoute] = []
    context = window()

    def through(page_side: WebSocketRoute) -> None:
        page_side.connect_to_server()
        opened.append(page_side)

    context.route_web_socket(SOCKET, through)
    page = sign_in(context, agent)
    before = len(opened)
    for number in range(3):
        pk = desk.call_pk(desk.call(chat_wxid=f"78813{number}"))
        expect(page.locator(f"#call-{pk}")).to_be_visible()
        page.wait_for_timeout(2_100)  # a sign of life comes in between
    assert len(opened) == before


def test_after_a_restart_of_the_server_every_page_comes_back_to_what_it_missed(
    tmp_path: Path, sandbox: Sandbox, window: Window
) -> None:
    with running_server(tmp_path) as server:
        desk = Desk(server, sandbox)
        pages = [already_signed_in(server, window(), agent) for agent in desk.staffed(2)]
        for page in pages:
            expect(page.locator("#connection")).to_have_attribute("data-state", "live")
        port = server.port
    with running_server(tmp_path, port=port) as server:
        desk.server = server
        pk = desk.call_pk(desk.call())
        for page in pages:
            expect(page.locator(f"#call-{pk}")).to_be_visible()
            expect(page.locator("#connection")).to_have_attribute("data-state", "live")


def test_a_page_that_slept_opens_another_socket(desk: Desk, window: Window, sign_in: SignIn) -> None:
    """Its clock has moved on, though nothing was closed."""
    [agent] = desk.staffed(1)
    opened: list[WebSocketRoute] = []
    context = window()

    def through(page_side: WebSocketRoute) -> None:
        page_side.connect_to_server()
        opened.append(page_side)

    context.route_web_socket(SOCKET, through)
    page = sign_in(context, agent)
    before = len(opened)
    page.evaluate("(now => { Date.now = () => now() + 60_000 })(Date.now.bind(Date))")
    wait_for(lambda: len(opened) == before + 1, page)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")


# Receipts


def test_a_call_on_a_visible_board_is_confirmed_once_also_after_a_reload(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    one, other = desk.staffed(2)
    page = sign_in(window("en"), one)
    pk = desk.call_pk(desk.call())
    confirmed(page, desk, pk, 1, with_sound=1)  # a sign-in takes clicks, and so the page may ring
    page.reload()
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    silent = already_signed_in(desk.server, window("en"), other)
    confirmed(page, desk, pk, 2, with_sound=1)
    silent.goto(f"{desk.server.url}/history/{pk}/")
    expect(silent.locator(".timeline")).to_contain_text("First shown on a screen")
    expect(silent.locator(".timeline")).to_contain_text("on 2 screens · on 1 with sound")


def test_a_page_that_nobody_looks_at_confirms_nothing_until_somebody_does(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    [agent] = desk.staffed(1)
    spoken: list[str | bytes] = []
    context = window()

    def overheard(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()

        def forward(message: str | bytes) -> None:
            spoken.append(message)
            server_side.send(message)

        page_side.on_message(forward)

    context.route_web_socket(SOCKET, overheard)
    page = sign_in(context, agent)
    page.evaluate(HIDE.format("true"))
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    spoken.clear()
    wait_for(lambda: bool(spoken), page)  # it answers signs of life all the same
    confirmed(page, desk, pk, 0)
    assert all(str(pk) not in str(message) for message in spoken)
    page.evaluate(HIDE.format("false"))
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    confirmed(page, desk, pk, 1, with_sound=1)


def test_a_page_without_the_board_confirms_nothing(desk: Desk, window: Window, sign_in: SignIn) -> None:
    one, other = desk.staffed(2)
    elsewhere = sign_in(window(), one)
    elsewhere.goto(f"{desk.server.url}/history/")
    expect(elsewhere.locator("#connection")).to_have_attribute("data-state", "live")
    watching = already_signed_in(desk.server, window(), other)
    expect(watching.locator("#connection")).to_have_attribute("data-state", "live")
    pk = desk.call_pk(desk.call())
    confirmed(watching, desk, pk, 1)
    expect(elsewhere.locator(".places .count")).to_have_text("1")
    confirmed(watching, desk, pk, 1)


def test_sound_that_is_switched_on_later_is_counted_then(desk: Desk, window: Window) -> None:
    [agent] = desk.staffed(1)
    page = already_signed_in(desk.server, window(), agent)
    pk = desk.call_pk(desk.call())
    confirmed(page, desk, pk, 1)
    page.click("#sound")
    confirmed(page, desk, pk, 1, with_sound=1)


# Signed out elsewhere


def test_the_sign_in_says_why_one_is_there(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    desk.server.sql("UPDATE calls_person SET is_active = false WHERE username = ?", agent)
    expect(page.locator(".said.warning")).to_contain_text("You were signed out")
    expect(page.locator(".said.warning")).to_contain_text("No calls are shown here")
