"""Supervisors and agents look calls up, in a real browser."""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.desk import Desk

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]


def history(page: Page, desk: Desk, query: str = "") -> None:
    page.goto(f"{desk.server.url}/history/{query}")


def call(desk: Desk, nickname: str, kind: int = 2) -> int:
    """Of a contact of their own; the call's number."""
    return desk.call_pk(desk.call(nickname, kind, chat_wxid=f"78813{zlib.crc32(nickname.encode())}"))


def contacts(page: Page) -> list[str]:
    return page.locator("#table td.contact").all_inner_texts()


def test_a_search_and_filters_apply_at_once_and_back_restores_rows_and_controls(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    [agent] = desk.staffed(1)
    for nickname, kind in (("王秀英", 2), ("周杰", 1), ("王磊", 1)):
        call(desk, nickname, kind)
    page = sign_in(window(), agent)
    history(page, desk)
    expect(page.locator("#table tbody tr")).to_have_count(3)
    expect(page.locator(".how-many")).to_contain_text("3")

    page.locator("[name=q]").press_sequentially("王", delay=20)
    expect(page.locator("#table tbody tr")).to_have_count(2)
    expect(page).to_have_url(re.compile(r"/history/\?q=%E7%8E%8B$"))
    page.select_option("[name=kind]", "1")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?q=%E7%8E%8B&kind=1$"))
    expect(page.locator(".chip.filter")).to_have_count(2)

    page.go_back()
    expect(page.locator("#table tbody tr")).to_have_count(2)
    expect(page.locator("[name=kind]")).to_have_value("")
    expect(page.locator("[name=q]")).to_have_value("王")
    page.go_back()
    expect(page.locator("#table tbody tr")).to_have_count(3)
    expect(page.locator("[name=q]")).to_have_value("")
    page.go_forward()
    expect(page.locator("[name=q]")).to_have_value("王")
    assert sorted(contacts(page)) == ["王磊", "王秀英"]
    page.locator(".chip.filter").click()
    expect(page.locator("#table tbody tr")).to_have_count(3)
    expect(page).to_have_url(f"{desk.server.url}/history/")


def test_a_quick_range_and_dates_of_ones_own_replace_each_other(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    desk.call()
    page = sign_in(window("en"), agent)
    history(page, desk, "?from=2026-03-01&to=2026-03-02")
    expect(page.locator("#table tbody tr")).to_have_count(0)
    page.select_option("[name=period]", "7d")
    expect(page).to_have_url(re.compile(r"\?period=7d$"))
    expect(page.locator("[name=from]")).to_have_value("")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    page.fill("[name=from]", "2026-03-01")
    expect(page).to_have_url(re.compile(r"\?from=2026-03-01$"))
    expect(page.locator("[name=period]")).to_have_value("")


def test_a_search_is_saved_and_shown_again(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    desk.call(kind=1)
    desk.call(kind=2)
    page = sign_in(window("en"), agent)
    history(page, desk)
    page.select_option("[name=kind]", "1")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    page.click("text=Saved views")
    page.fill(".save [name=name]", "Video")
    page.click(".save button")
    expect(page.locator(".said.success")).to_have_text("View “Video” saved.")
    page.click("text=Clear all filters")
    expect(page.locator("#table tbody tr")).to_have_count(2)
    page.click("text=Saved views")
    page.click(".view >> text=Video")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    expect(page.locator("[name=kind]")).to_have_value("1")


def test_new_calls_are_announced_and_move_no_row_until_they_are_wanted(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    call(desk, "周杰")
    page = sign_in(window(), agent)
    history(page, desk, "?kind=2")
    row = page.locator("#table tbody tr")
    expect(row).to_have_count(1)
    place = row.bounding_box()
    call(desk, "王秀英")
    call(desk, "孙丽", kind=1)  # fits no filter
    word = page.locator("#new-calls a")
    expect(word).to_contain_text("1")
    call(desk, "何静")
    expect(word).to_contain_text("2")
    assert (contacts(page), row.bounding_box()) == (["周杰"], place)
    word.click()
    expect(row).to_have_count(3)
    assert contacts(page) == ["何静", "王秀英", "周杰"]
    expect(page.locator("[name=kind]")).to_have_value("2")
    expect(word).to_have_count(0)


def test_a_row_opens_the_call_and_a_note_on_it_outlives_what_happens_meanwhile(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    first, second = desk.staffed(2)
    pk = call(desk, "周杰")
    page = sign_in(window("en"), first)
    history(page, desk)
    page.click(f"tr[data-call='{pk}']")
    expect(page).to_have_url(f"{desk.server.url}/history/{pk}/")
    page.fill("#write textarea", "told by text")
    other = sign_in(window("en"), second)
    other.click(f"#call-{pk} .reject")
    expect(page.locator("#happened")).to_contain_text("Accepted by the vendor.")
    page.click("#write button")
    expect(page.locator(".timeline .noted")).to_contain_text(f"{first} noted:")
    expect(page.locator("#write textarea")).to_have_value("")
    expect(page.locator("#write button")).to_be_focused()
    expect(page.locator("#write")).not_to_have_class(re.compile("htmx-added"))  # the new form is not htmx's before
    page.keyboard.press("Enter")
    expect(page.locator("#write .said.error")).to_have_text("The note is empty. Write something first.")
    expect(page.locator("#write button")).to_be_focused()
    other.goto(f"{desk.server.url}/history/{pk}/")
    expect(other.locator(".timeline .noted .written")).to_have_text("told by text")


def test_on_a_phone_filters_fold_away_and_no_row_is_wider_than_the_page(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    desk.call("北辰物流-陈经理（华东二区，售后）" * 3)
    page = sign_in(window("en", viewport={"width": 390, "height": 844}), agent)
    history(page, desk)
    expect(page.locator("[name=outcome]")).to_be_hidden()
    page.click(".fold")
    page.select_option("[name=kind]", "2")
    expect(page).to_have_url(re.compile(r"\?kind=2$"))
    expect(page.locator("#table tbody tr")).to_have_count(1)
    assert page.evaluate("document.documentElement.scrollWidth") == 390


def test_without_scripts_filters_are_sent_by_a_button(desk: Desk, window: Window) -> None:
    [agent] = desk.staffed(1)
    desk.call(kind=1)
    desk.call(kind=2)
    context = window("en", java_script_enabled=False)
    cookie = desk.server.sign_in(agent, "correct horse battery staple").cookies
    context.add_cookies([{"name": name, "value": value, "url": desk.server.url} for name, value in cookie.items()])
    page = context.new_page()
    history(page, desk)
    page.select_option("[name=kind]", "1")
    page.click("#more-filters button")
    expect(page.locator("#table tbody tr")).to_have_count(1)
    expect(page.locator(".chip.filter")).to_contain_text("Kind: Video")


@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("width", [1440, 1280, 1024, 390])
def test_the_table_is_no_wider_than_the_window(
    desk: Desk, window: Window, sign_in: SignIn, language: str, width: int
) -> None:
    [agent] = desk.staffed(1)
    pk = desk.call_pk(desk.call("北辰物流-陈经理"))
    desk.server.sql("UPDATE calls_account SET name = '' WHERE wxid = ?", desk.wxid)
    desk.vendor.misbehave("/wechat/handleVoipCall", "refused")
    page = sign_in(window(language, viewport={"width": width, "height": 800}), agent)
    page.locator(f"#call-{pk} button.reject").click()
    expect(page.locator(f"#call-{pk} .note")).to_be_visible()
    page.goto(f"{desk.server.url}/history/")
    expect(page.locator(f"tr[data-call='{pk}']")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
