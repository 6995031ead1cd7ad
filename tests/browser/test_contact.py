"""Who calls, in a real browser: name and picture come by themselves, and what one agent writes the others see at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from calls.vendor.sandbox import PEOPLE
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.server import Server, running_server

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

NAMELESS = "7881300000000001"  # with a picture at the sandbox


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that asks the vendor for names, and takes pictures from this machine."""
    folder = tmp_path_factory.mktemp("server")
    with running_server(folder, LOOK_UP_CONTACTS="true", AVATARS_FROM_INSIDE="true") as running:
        yield running


def open_call(page: Page, desk: Desk, pk: int) -> None:
    page.goto(f"{desk.server.url}/history/{pk}/")
    page.locator(".contact summary").click()


@pytest.mark.parametrize(("language", "outcome"), [("zh-hans", "首次来电"), ("en", "First call")])
def test_name_and_picture_come_by_themselves_and_the_browser_asks_our_own_host_alone(
    desk: Desk, window: Window, sign_in: SignIn, language: str, outcome: str
) -> None:
    [agent] = desk.staffed(1)
    context, asked = window(language), list[str]()
    context.on("request", lambda request: asked.append(request.url))
    page = sign_in(context, agent)
    pk = desk.call_pk(desk.call("", chat_wxid=NAMELESS))
    card = page.locator(f"#call-{pk}")
    expect(card).to_contain_text(outcome)
    expect(card.locator("h3")).to_have_text(PEOPLE[1])
    picture = card.locator(".avatar img")
    expect(picture).to_be_visible()
    page.wait_for_function("(img) => img.complete && img.naturalWidth === 104", arg=picture.element_handle())
    assert [url for url in asked if not url.startswith(desk.server.url)] == []
    assert any("/avatar/" in url for url in asked)
    # As in history, for whoever opens the call.
    page.goto(f"{desk.server.url}/history/{pk}/")
    expect(page.locator(".contact .avatar img")).to_be_visible()
    assert [url for url in asked if not url.startswith(desk.server.url)] == []


@pytest.mark.parametrize(("language", "mark"), [("zh-hans", "黑名单"), ("en", "Blocked")])
def test_what_one_agent_writes_stands_on_the_others_board_at_once(
    desk: Desk, window: Window, sign_in: SignIn, language: str, mark: str
) -> None:
    first, second = desk.staffed(2)
    page, board = sign_in(window(language), first), sign_in(window(language), second)
    pk = desk.call_pk(desk.call("周杰", chat_wxid="7881300000000003"))
    open_call(page, desk, pk)
    page.fill("#write textarea", "half a note")
    page.fill("[name=remark]", "周总（大客户）")
    page.fill("[name=tags]", "VIP，华东")
    page.select_option("[name=mark]", "blocked")
    page.locator(".contact .button").click()
    expect(page.locator(".contact h3")).to_have_text("周总（大客户）")
    expect(page.locator("h1")).to_contain_text("周总（大客户）")
    expect(page.locator("#about dd").first).to_contain_text("周总（大客户）")
    expect(page.locator(".contact > p small")).to_contain_text(first)
    expect(page.locator("#write textarea")).to_have_value("half a note")
    expect(page.locator("#save-contact")).to_be_focused()
    card = board.locator(f"#call-{pk}")
    expect(card.locator("h3")).to_have_text("周总（大客户）")
    expect(card.locator(".label")).to_have_text([mark, "VIP", "华东"])


def test_who_saves_over_a_change_that_they_have_not_seen_is_told(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first, second = desk.staffed(2)
    pages = [sign_in(window("en"), agent) for agent in (first, second)]
    pk = desk.call_pk(desk.call("周杰", chat_wxid="7881300000000006"))
    for page in pages:
        open_call(page, desk, pk)
    for page, remark in zip(pages, ("from the first", "from the second"), strict=True):
        page.fill("[name=remark]", remark)
        page.locator(".contact .button").click()
        expect(page.locator(".contact h3")).to_have_text("from the first")
    other = pages[1]
    expect(other.locator(".contact .said")).to_contain_text("Somebody has changed this meanwhile.")
    expect(other.locator("[name=remark]")).to_have_value("from the second")
    other.locator(".contact .button").click()
    expect(other.locator(".contact h3")).to_have_text("from the second")


def test_it_is_changed_without_javascript_too(desk: Desk, window: Window) -> None:
    [agent] = desk.staffed(1)
    page = window("en", java_script_enabled=False).new_page()
    page.goto(desk.server.url)
    page.fill("[name=username]", agent)
    page.fill("[name=password]", PASSWORD)
    page.click("main button.primary")
    pk = desk.call_pk(desk.call("周杰", chat_wxid="7881300000000009"))
    open_call(page, desk, pk)
    page.fill("[name=tags]", "VIP, VIP")
    page.locator(".contact .button").click()
    expect(page.locator(".contact .label")).to_have_text(["VIP"])
    expect(page).to_have_url(f"{desk.server.url}/history/{pk}/")


@pytest.mark.parametrize(
    "text",
    ["<img src=x onerror=document.title='owned'>", "\"' onmouseover=document.title='owned' x='", "\u202egnirts\u202e"],
)
def test_what_somebody_writes_stays_text(desk: Desk, window: Window, sign_in: SignIn, text: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    pk = desk.call_pk(desk.call("周杰", chat_wxid="7881300000000012"))
    open_call(page, desk, pk)
    page.fill("[name=remark]", text)
    page.fill("[name=tags]", text[:20])
    page.locator(".contact .button").click()
    expect(page.locator(".contact .label")).to_have_text([text[:20].strip()])
    page.goto(desk.server.url)
    card = page.locator(f"#call-{pk}")
    card.locator(".label").hover()
    expect(card.locator("h3")).to_have_text(text)
    assert "owned" not in page.title()
