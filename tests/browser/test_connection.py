"""A page says how far it can be trusted, and comes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, WebSocketRoute, expect

from calls.vendor.sandbox import Sandbox
from tests.desk import Desk
from tests.server import running_server

pytestmark = pytest.mark.engineless  # what a page does where its socket fails, whatever stands behind the socket

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]


def state(page: Page, name: str) -> None:
    expect(page.locator("#connection")).to_have_attribute("data-state", name, timeout=15_000)


@pytest.mark.parametrize("code", [1000, 1001, 1006, 1011, 1012, 3000, 4000, 4408])
def test_every_close_that_the_page_did_not_ask_for_is_mended(desk: Desk, window: Window, sign_in: SignIn, code: int) -> None:
    sockets: list[WebSocketRoute] = []

    def through(page_side: WebSocketRoute) -> None:
        page_side.connect_to_server()
        sockets.append(page_side)

    [agent] = desk.staffed(1)
    context = window()
    context.route_web_socket("**/ws/board/**", through)
    page = sign_in(context, agent)
    before = len(sockets)
    page.evaluate("window.notReloaded = true")
    # 1006 is never sent: it is what a page sees when the connection is simply gone.
    sockets[-1].close(code=code) if code not in {1001, 1006, 1011, 1012} else sockets[-1].close()
    expect(page.locator("#connection")).not_to_have_attribute("data-state", "live")
    state(page, "live")
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    assert len(sockets) == before + 1
    assert page.evaluate("window.notReloaded")


def test_while_the_server_is_away_the_page_says_stale_and_then_shows_what_it_missed(
    tmp_path: Path, sandbox: Sandbox, window: Window, browser: object
) -> None:
    with running_server(tmp_path) as server:
        desk = Desk(server, sandbox)
        [agent] = desk.staffed(1)
        port = server.port
        context = window()
        context.add_cookies(
            [
                {"name": name, "value": value, "url": server.url}
                for name, value in server.sign_in(agent, "correct horse battery staple").cookies.items()
            ]
        )
        page = context.new_page()
        page.goto(server.url)
        state(page, "live")
        pk = desk.call_pk(desk.call())
        expect(page.locator(f"#call-{pk}")).to_be_visible()
    state(page, "stale")
    expect(page.locator("#connection")).to_contain_text("已过时")
    assert page.locator(f"#call-{pk}").evaluate("card => getComputedStyle(card).filter") == "grayscale(1)"
    with running_server(tmp_path, port=port) as server:
        desk.server = server
        missed = desk.call_pk(desk.call())
        state(page, "live")
        expect(page.locator(f"#call-{missed}")).to_be_visible()
        assert page.locator(f"#call-{missed}").evaluate("card => getComputedStyle(card).filter") == "none"


def test_a_socket_that_falls_silent_is_given_up_and_replaced(desk: Desk, window: Window, sign_in: SignIn) -> None:
    """What a sleeping laptop or a router that forgot the connection looks like: no close, no message."""
    opened: list[WebSocketRoute] = []

    def first_one_falls_silent(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        opened.append(page_side)
        if len(opened) == 1:
            sent: list[str | bytes] = []

            def only_the_board(message: str | bytes) -> None:
                if not sent:
                    sent.append(message)
                    page_side.send(message)

            server_side.on_message(only_the_board)

    [agent] = desk.staffed(1)
    context = window()
    context.route_web_socket("**/ws/board/**", first_one_falls_silent)
    page = sign_in(context, agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible(timeout=20_000)
    assert len(opened) == 2


def test_a_page_that_never_connects_says_that_it_is_stale(desk: Desk, window: Window, sign_in: SignIn) -> None:
    """What a reverse proxy without support for sockets looks like."""
    [agent] = desk.staffed(1)
    desk.call()
    context = window()
    page = sign_in(context, agent)
    context.route_web_socket("**/ws/board/**", lambda socket: socket.close())
    page.reload()
    state(page, "stale")
    assert page.locator("#ringing .call").first.evaluate("card => getComputedStyle(card).filter") == "grayscale(1)"


def test_signs_of_life_alone_do_not_make_a_page_live(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window()
    page = sign_in(context, agent)

    def beats_alone(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        server_side.on_message(lambda message: page_side.send('<i id="beat" data-now="1"></i>'))

    context.route_web_socket("**/ws/board/**", beats_alone)
    page.reload()
    state(page, "stale")


def test_while_the_server_has_doubts_the_page_says_stale_and_shows_what_comes(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    [agent] = desk.staffed(1)
    opened: list[WebSocketRoute] = []
    doubts: list[bool] = []

    def doubted(page_side: WebSocketRoute) -> None:
        server_side = page_side.connect_to_server()
        opened.append(page_side)

        def forward(message: str | bytes) -> None:
            page_side.send(str(message).replace('id="beat"', 'id="beat" data-doubtful') if doubts else message)

        server_side.on_message(forward)

    context = window()
    context.route_web_socket("**/ws/board/**", doubted)
    page = sign_in(context, agent)
    state(page, "live")
    before = len(opened)
    doubts.append(True)
    state(page, "stale")
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    page.wait_for_timeout(5_000)  # longer than a page puts up with silence
    state(page, "stale")
    doubts.clear()
    state(page, "live")
    assert len(opened) == before


def test_a_page_that_is_cut_off_stops_ringing_when_the_ring_window_is_over(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    desk.server.manage("vendor_app", desk.app, "--ring-seconds", "4")
    [agent] = desk.staffed(1)
    desk.wait_for_ring_seconds(4)
    sockets: list[WebSocketRoute] = []

    def through(page_side: WebSocketRoute) -> None:
        if sockets:
            page_side.close()
            return
        page_side.connect_to_server()
        sockets.append(page_side)

    context = window()
    context.route_web_socket("**/ws/board/**", through)
    page = sign_in(context, agent)
    page.keyboard.press("Escape")
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    sockets[0].close()
    page.wait_for_function("Number(document.documentElement.dataset.rang) > 0")
    expect(page.locator(f"#call-{pk} .left")).to_be_empty()  # the ring window is over, and nobody told the page
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "ringing")
    rang = page.evaluate("document.documentElement.dataset.rang")
    page.wait_for_timeout(4000)  # it would ring every 3 s
    assert page.evaluate("document.documentElement.dataset.rang") == rang


def test_a_sign_out_in_another_tab_sends_the_board_to_the_sign_in(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window()
    board = sign_in(context, agent)
    other = context.new_page()
    other.goto(desk.server.url)
    other.click(".me summary")
    other.click(".menu form[action='/logout/'] button")
    expect(board).to_have_url(f"{desk.server.url}/login/?next=%2F&ended=1")


def test_somebody_deactivated_is_sent_to_the_sign_in(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    desk.server.sql("UPDATE calls_person SET is_active = false WHERE username = ?", agent)
    expect(page).to_have_url(f"{desk.server.url}/login/?next=%2F&ended=1")


def test_leaving_a_team_takes_its_calls_off_the_open_page(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    desk.leave_team(agent)
    expect(page.locator(f"#call-{pk}")).to_have_count(0)
