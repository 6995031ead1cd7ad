"""Customers to follow up, with two people side by side, each in a language of their own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.desk import Desk

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

WORDS = {
    "zh-hans": {
        "add": "加入待跟进",
        "added": "已在待跟进中",
        "take": "领取",
        "done": "完成…",
        "nobody": "无人领取",
        "none": "没有待跟进的客户",
    },
    "en": {
        "add": "Follow up",
        "added": "On the list",
        "take": "Take",
        "done": "Done…",
        "nobody": "Nobody yet",
        "none": "Nobody to follow up",
    },
}


def ended(desk: Desk, nickname: str = "王秀英", chat_wxid: str = "7881300000000001") -> int:
    """A call that was missed long ago, by a customer of this name."""
    pk = desk.call_pk(desk.call(nickname, chat_wxid=chat_wxid))
    desk.server.sql("UPDATE calls_call SET rings_until = received_at, version = version + 1 WHERE id = ?", pk)
    return pk


def follow_up_of(desk: Desk, pk: int) -> int:
    [(found,)] = desk.server.sql("SELECT id FROM calls_followup WHERE call_id = ?", pk)
    return int(str(found))


@pytest.mark.parametrize(("language", "other"), [("zh-hans", "en"), ("en", "zh-hans")])
def test_two_side_by_side_add_take_and_do_one(
    desk: Desk, window: Window, sign_in: SignIn, language: str, other: str
) -> None:
    first, second = desk.staffed(2)
    page, beside = sign_in(window(language), first), sign_in(window(other), second)
    words, others = WORDS[language], WORDS[other]
    for each, said in ((page, words), (beside, others)):
        expect(each.locator("#follow-ups")).to_contain_text(said["none"])
    pk = ended(desk)

    add = page.locator(f"#call-{pk} .follow-up")
    expect(add).to_have_text(words["add"])
    add.click()
    for each, said in ((page, words), (beside, others)):
        expect(each.locator("#follow-ups li")).to_contain_text("王秀英")
        expect(each.locator("#follow-ups li")).to_contain_text(said["nobody"])
        expect(each.locator("#follow-ups h2 small")).to_have_text("1")

    beside.locator("#follow-ups").get_by_role("button", name=others["take"]).click()
    for each in (page, beside):
        expect(each.locator("#follow-ups li .outcome")).to_have_text(second)
        expect(each.locator("#follow-ups li button")).to_have_count(1)  # nobody else can take it

    page.locator("#follow-ups").get_by_role("button", name=words["done"]).click()
    expect(page.locator("#dialog")).to_contain_text(second)  # has it
    expect(page.locator("#dialog textarea")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(page.locator("#dialog")).to_be_hidden()

    beside.locator("#follow-ups").get_by_role("button", name=others["done"]).click()
    expect(beside.locator("#dialog textarea")).to_be_focused()
    beside.keyboard.type("已回电")
    beside.locator("#dialog .primary").click()
    expect(beside.locator("#dialog")).to_be_hidden()
    for each, said in ((page, words), (beside, others)):
        expect(each.locator("#follow-ups")).to_contain_text(said["none"])
    page.goto(f"{desk.server.url}/follow-up/")
    expect(page.locator("#follow-up-list")).to_contain_text("已回电")
    page.goto(f"{desk.server.url}/history/{pk}/")
    expect(page.locator("#happened .done")).to_contain_text("已回电")


def test_a_note_that_is_being_written_outlives_what_others_do(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first, second = desk.staffed(2)
    page, beside = sign_in(window(), first), sign_in(window(), second)
    pk, another = ended(desk), ended(desk, "李强", "7881300000000009")
    page.locator(f"#call-{pk} .follow-up").click()
    page.locator("#follow-ups button[id^=done-]").click()
    page.locator("#dialog textarea").fill("客户要退")
    beside.locator(f"#call-{another} .follow-up").click()
    expect(page.locator("#follow-ups li")).to_have_count(2)  # the panel was drawn anew
    expect(page.locator("#dialog textarea")).to_have_value("客户要退")
    page.keyboard.press("Escape")
    expect(page.locator(f"#done-{follow_up_of(desk, pk)}")).to_be_focused()  # though it is another button by now


def test_a_note_that_came_too_late_is_still_there(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first, second = desk.staffed(2)
    page, beside = sign_in(window("en"), first), sign_in(window("en"), second)
    pk = ended(desk)
    page.locator(f"#call-{pk} .follow-up").click()
    page.locator("#follow-ups button[id^=done-]").click()
    page.locator("#dialog textarea").fill("mine")
    beside.locator("#follow-ups button[id^=done-]").click()
    beside.locator("#dialog .primary").click()
    expect(page.locator("#follow-ups li")).to_have_count(0)
    page.locator("#dialog .primary").click()
    expect(page.locator("#dialog")).to_contain_text(f"{second} has done it.")
    expect(page.locator("#dialog textarea")).to_have_value("mine")
    page.locator("#dialog .close").click()
    expect(page.locator("#dialog")).to_be_hidden()


def test_a_dialog_says_that_the_server_could_not_be_reached(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    pk = ended(desk)
    page.locator(f"#call-{pk} .follow-up").click()
    page.locator("#follow-ups button[id^=done-]").click()
    page.locator("#dialog textarea").fill("mine")
    page.route("**/follow-up/*/done/", lambda route: route.abort())
    page.locator("#dialog .primary").click()
    expect(page.locator("#dialog [role=alert]")).to_contain_text("did not reach the server")
    expect(page.locator("#dialog textarea")).to_have_value("mine")
    page.unroute("**/follow-up/*/done/")
    page.locator("#dialog .primary").click()
    expect(page.locator("#dialog")).to_be_hidden()


def test_the_list_of_another_page_follows_what_others_do(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first, second = desk.staffed(2)
    page, beside = sign_in(window("en"), first), sign_in(window("en"), second)
    page.goto(f"{desk.server.url}/follow-up/")
    expect(page.locator("#follow-up-list")).to_contain_text("Nobody to follow up")
    pk = ended(desk)
    beside.locator(f"#call-{pk} .follow-up").click()
    expect(page.locator("#follow-up-list li")).to_contain_text("Nobody yet")
    page.get_by_role("button", name="Take").click()
    expect(page.locator("#follow-up-list li .has-it")).to_have_text(first)
    expect(page.get_by_role("button", name="Give back")).to_be_focused()
    expect(beside.locator("#follow-ups li .outcome")).to_have_text(first)
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Take")).to_be_focused()


def test_the_keyboard_alone_does_one_and_the_focus_is_never_lost(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    pk = ended(desk)
    page.locator(f"#call-{pk} .follow-up").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#follow-ups li")).to_have_count(1)
    page.locator("#follow-ups").get_by_role("button", name="Take").focus()
    page.keyboard.press("Enter")
    number = follow_up_of(desk, pk)
    expect(page.locator(f"#done-{number}")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("#dialog textarea")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator("#dialog")).to_be_hidden()
    expect(page.locator("#follow-ups h2 a")).to_be_focused()


def test_an_age_is_counted_without_loading_the_page_anew(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    pk = ended(desk)
    page.locator(f"#call-{pk} .follow-up").click()
    age = page.locator("#follow-ups .when time")
    expect(age).to_have_text("just now")
    age.evaluate("time => time.dateTime = new Date(Date.now() - 22.5 * 60_000).toISOString()")
    expect(age).to_have_text("22 min", timeout=15_000)


def test_what_a_teams_setting_asks_for_comes_by_itself(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    desk.server.sql(
        "UPDATE calls_team SET follow_up = 'missed', follow_up_since = '2026-01-01 00:00:00' WHERE name = ?", desk.team
    )
    page = sign_in(window(), agent)
    ended(desk)
    expect(page.locator("#follow-ups li")).to_contain_text("王秀英")


def test_another_teams_page_shows_none_of_it(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first, _ = desk.staffed(2)
    stranger = Desk(desk.server, desk.vendor)
    [other] = stranger.staffed(1)
    page, beside = sign_in(window("en"), first), sign_in(window("en"), other)
    pk = ended(desk)
    page.locator(f"#call-{pk} .follow-up").click()
    expect(page.locator("#follow-ups li")).to_have_count(1)
    expect(beside.locator("#follow-ups li")).to_have_count(0)
