"""axe-core finds nothing on any page: both languages, light and dark, on a desk and on a phone (WCAG 2.2 AA and more)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from typing import Any, Literal

import pytest
import requests
from axe_playwright_python.base import AXE_SCRIPT
from django.template.loader import render_to_string
from django.utils import translation
from playwright.sync_api import BrowserContext, Route, expect

from calls.vendor.sandbox import call_notice
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.server import Server

from .conftest import give_session
from .states import addresses, admin_of, seven_calls

pytestmark = pytest.mark.engineless

Window = Callable[..., BrowserContext]

LANGUAGES = ["zh-hans", "en"]
WIDTHS = (1440, 390)
THEMES: dict[Literal["light", "dark"], dict[str, Any]] = {
    "light": {"rules": {"target-size": {"enabled": True}}},
    "dark": {"runOnly": ["color-contrast", "link-in-text-block"]},  # all that a theme changes
}
SHOWN = 160  # characters of an element
LOOK = """(options) => axe.run(document, {resultTypes: ["violations"], ...options}).then(({ violations }) =>
  violations.flatMap(({ id, nodes }) => nodes.map(({ target, html, failureSummary }) =>
    [id, `${target}  ${html}`.replace(/\\s+/g, " "), failureSummary.split("\\n")[1].trim()])))"""


class Inspector:
    """Looks at pages, and writes down what it finds."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.page = context.new_page()
        self.url = url
        self.found: defaultdict[str, list[str]] = defaultdict(list)  # in which views of a page, by what

    def visit(self, address: str, name: str = "", state: str = "live") -> None:
        """A page, once it is complete."""
        self.page.goto(f"{self.url}{address}")
        if self.page.locator("#connection").count():
            expect(self.page.locator("#connection")).to_have_attribute("data-state", state)
        expect(self.page.locator(".later")).to_have_count(0)
        self.inspect(name or address)

    def inspect(self, name: str) -> None:
        """The page that is shown, in both themes and widths."""
        self.page.evaluate(AXE_SCRIPT)
        for width, (theme, rules) in product(WIDTHS, THEMES.items()):
            self.page.set_viewport_size({"width": width, "height": 900})
            self.page.emulate_media(color_scheme=theme, reduced_motion="reduce")
            for rule, element, why in self.page.evaluate(LOOK, rules):
                self.found[f"{name}: {rule}: {element[:SHOWN]} ({why})"].append(f"{theme} {width}")


@pytest.fixture
def inspector(window: Window, server: Server) -> Iterator[Callable[..., Inspector]]:
    """Opens one in a language, for somebody; it must have found nothing."""
    opened: list[Inspector] = []

    def open_inspector(language: str, username: str = "") -> Inspector:
        context = window(language, viewport={"width": WIDTHS[0], "height": 900})
        if username:
            give_session(context, server, username)
        opened.append(Inspector(context, server.url))
        return opened[-1]

    yield open_inspector
    found = [f"{what} {views}" for each in opened for what, views in each.found.items()]
    assert not found, f"axe-core found {len(found)}:\n" + "\n".join(found)


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_found_on_the_board(language: str, lasting: Desk, inspector: Callable[..., Inspector]) -> None:
    [agent] = lasting.staffed(1)
    board = inspector(language, agent)
    board.visit("/", "board with no call")
    lasting.call()
    board.visit("/", "board with one call")
    seven_calls(lasting, agent)
    board.visit("/", "board with calls in all states")
    board.page.context.route_web_socket("**/ws/board/**", lambda socket: socket.close())
    board.visit("/", "stale board", state="stale")


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_found_on_any_page(language: str, lasting: Desk, inspector: Callable[..., Inspector]) -> None:
    server = lasting.server
    [agent] = lasting.staffed(1)
    rows = seven_calls(lasting, agent)
    [(rows["app"],)] = server.sql("SELECT id FROM calls_vendorapp WHERE name = ?", lasting.app)  # type: ignore[assignment]
    server.push(lasting.secret, [{"type": "voiceVideoCall", "rel_wxid": lasting.wxid, "data": {"no": "call id"}}])
    for end in (1, 2):  # to accounts of no team, which supervisors are told of
        server.push(lasting.secret, [call_notice(f"{lasting.wxid}{end}", "7881300000000001", f"{lasting.number}{end}")])
    admin = admin_of(lasting)
    session = server.sign_in(admin, PASSWORD)
    pages = [address for address in addresses(rows) if is_page(session, f"{server.url}{address}")]
    assert {"/", "/history/", "/reports/", "/callbacks/", f"/history/{rows['refused']}/", "/password/"} <= set(pages)
    inspect = inspector(language, admin)
    for address in pages:
        inspect.visit(address)


def is_page(session: requests.Session, address: str) -> bool:
    """Raises: AssertionError for a page of one row, of which it isn't known which row."""
    answer = session.get(address, timeout=10, allow_redirects=False)
    assert answer.status_code != 404, f"{address}: which row to look at is said by ROWS in tests/browser/states.py"
    is_html = answer.headers.get("Content-Type", "").startswith("text/html")
    return answer.status_code == 200 and is_html and "<!doctype html>" in answer.text.lower()


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_found_on_the_way_in_and_on_pages_of_errors(
    language: str, desk: Desk, inspector: Callable[..., Inspector]
) -> None:
    [agent] = desk.staffed(1)
    outside = inspector(language)
    outside.visit("/login/", "sign-in")
    outside.page.fill("[name=username]", agent)
    outside.page.fill("[name=password]", "wrong")
    outside.page.click("main button.primary")
    expect(outside.page.locator("main [role=alert], main .error").first).to_be_visible()
    outside.inspect("refused sign-in")
    outside.visit("/nowhere/", "404, signed out")
    for code in (500, 503):
        with translation.override(language):
            shown = render_to_string(f"errors/{code}.html")
        outside.page.route(f"**/{code}/", partial(answer_with, shown))
        outside.visit(f"/{code}/", str(code))
    inside = inspector(language, agent)
    inside.visit("/nowhere/", "404")
    inside.page.goto(desk.server.url)
    inside.page.evaluate("document.querySelectorAll('[name=csrfmiddlewaretoken]').forEach((field) => field.remove())")
    inside.page.evaluate("document.querySelector('form[action=\"/logout/\"]').submit()")
    inside.page.wait_for_url("**/logout/")
    inside.inspect("403")


def answer_with(text: str, route: Route) -> None:
    route.fulfill(body=text)
