"""What agents do with calls, by keys and by the pointer: reasons, silence, all calls of a contact; and what never moves."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.desk import Desk

pytestmark = pytest.mark.engineless  # what pages do, whatever the calls are stored in

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

WORDS = {
    "zh-hans": {"silence": "对我静音", "all": "拒接此联系人的全部 2 个来电", "keys": "快捷键", "new": "新来电：王秀英"},
    "en": {
        "silence": "Silence for me",
        "all": "Reject all 2 calls of this contact",
        "keys": "Keys",
        "new": "New call: 王秀英",
    },
}
LANGUAGES = pytest.mark.parametrize("language", WORDS)


def give_reasons(desk: Desk, *texts: str) -> None:
    """To the desk's team: its list of reasons."""
    [(team,)] = desk.server.sql("SELECT id FROM calls_team WHERE name = ?", desk.team)
    for place, text in enumerate(texts):
        desk.server.sql("INSERT INTO calls_reason (team_id, text, place) VALUES (?, ?, ?)", team, text, place)


def reasons_on_record(desk: Desk, pk: int) -> list[object]:
    return [reason for (reason,) in desk.server.sql("SELECT reason FROM calls_attempt WHERE call_id = ?", pk)]


def two_calls(desk: Desk, page: Page) -> tuple[int, int]:
    """Of two contacts, the older one first, once they are on the page."""
    first, second = (desk.call_pk(desk.call(chat_wxid=f"78814{number}")) for number in (1, 2))
    expect(page.locator(f"#call-{second}")).to_be_visible()
    return first, second


# Reasons


def test_a_number_rejects_for_that_reason_of_the_list(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    give_reasons(desk, "in a meeting", "spam")
    page = sign_in(window("en"), agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("2")
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "rejected")
    expect(page.locator(f"#call-{pk} .by")).to_contain_text("spam")
    assert reasons_on_record(desk, pk) == ["spam"]


def test_a_number_beyond_the_list_does_nothing(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    give_reasons(desk, "in a meeting")
    page = sign_in(window(), agent)
    first, second = two_calls(desk, page)
    page.locator(f"#call-{first}").focus()
    page.keyboard.press("2")
    page.locator(f"#call-{second}").focus()
    page.keyboard.press("1")
    expect(page.locator(f"#call-{second}")).to_have_attribute("data-status", "rejected")
    expect(page.locator(f"#call-{first}")).to_have_attribute("data-status", "ringing")


def test_a_reason_is_chosen_from_the_list_at_the_button_and_a_plain_click_needs_none(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    [agent] = desk.staffed(1)
    give_reasons(desk, "稍后回电", "骚扰电话")
    page = sign_in(window(), agent)
    first, second = two_calls(desk, page)
    page.locator(f"#call-{first} button.why").click()
    page.get_by_role("button", name="骚扰电话").click()
    expect(page.locator(f"#call-{first}")).to_have_attribute("data-status", "rejected")
    page.locator(f"#call-{second} button.reject").click()
    expect(page.locator(f"#call-{second}")).to_have_attribute("data-status", "rejected")
    assert (reasons_on_record(desk, first), reasons_on_record(desk, second)) == (["骚扰电话"], [""])


def test_without_a_list_there_is_no_button_for_it(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk} button.reject")).to_be_visible()
    expect(page.locator(f"#call-{pk} button.why")).to_be_hidden()


# Silence, and all calls of a contact


@LANGUAGES
def test_silence_is_for_me_alone(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    first, second = desk.staffed(2)
    page, other = sign_in(window(language), first), sign_in(window(language), second)
    pk = desk.call_pk(desk.call())
    button = page.locator(f"#call-{pk}").get_by_role("button", name=WORDS[language]["silence"])
    button.click()
    expect(button).to_have_attribute("aria-pressed", "true")
    rang = int(page.locator("html").get_attribute("data-rang") or 0)
    rung_there = int(other.locator("html").get_attribute("data-rang") or 0)
    expect(other.locator("html")).to_have_attribute("data-rang", str(rung_there + 2))
    assert int(page.locator("html").get_attribute("data-rang") or 0) == rang
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "ringing")
    button.click()
    expect(button).to_have_attribute("aria-pressed", "false")
    expect(page.locator("html")).to_have_attribute("data-rang", str(rang + 1))


def test_silence_holds_on_all_pages_of_the_browser_and_after_a_reload(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window()
    page = sign_in(context, agent)
    pk = desk.call_pk(desk.call())
    second = context.new_page()
    second.goto(desk.server.url)
    page.locator(f"#call-{pk}").focus()
    page.keyboard.press("s")
    expect(second.locator(f"#call-{pk} [data-silence]")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.locator(f"#call-{pk} [data-silence]")).to_have_attribute("aria-pressed", "true")


@LANGUAGES
def test_all_calls_of_one_contact_are_rejected_at_once(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(language), agent)
    pks = [desk.call_pk(desk.call()) for _ in range(2)]
    other = desk.call_pk(desk.call(chat_wxid="78814"))
    expect(page.locator(f"#call-{other}")).to_be_visible()
    expect(page.locator(f"#call-{other} [data-reject-all]")).to_be_hidden()
    page.locator(f"#call-{pks[0]}").get_by_role("button", name=WORDS[language]["all"]).click()
    for pk in pks:
        expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "rejected")
    expect(page.locator(f"#call-{other}")).to_have_attribute("data-status", "ringing")
    assert len(desk.vendor.rejects) == 2


def test_shift_r_rejects_all_and_caps_lock_is_no_shift(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    first, second = (desk.call_pk(desk.call()) for _ in range(2))
    third = desk.call_pk(desk.call(chat_wxid="78814"))
    expect(page.locator(f"#call-{third}")).to_be_visible()
    page.locator(f"#call-{third}").focus()
    page.evaluate("document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'R', bubbles: true}))")
    expect(page.locator(f"#call-{third}")).to_have_attribute("data-status", "rejected")
    page.locator(f"#call-{first}").focus()
    page.keyboard.press("Shift+R")
    for pk in (first, second):
        expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "rejected")


# Keys


@LANGUAGES
def test_a_question_mark_lists_the_keys(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(language), agent)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name=WORDS[language]["keys"])).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def test_keys_can_be_turned_off(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    page.goto(f"{desk.server.url}/preferences/")
    page.get_by_label("Single keys act on calls").uncheck()
    page.goto(desk.server.url)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk} kbd").first).to_be_hidden()
    page.locator(f"#call-{pk}").focus()
    page.keyboard.press("r")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # buttons are no single keys
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "rejected")
    assert len(desk.vendor.rejects) == 1


def test_keys_that_are_typed_into_a_field_reject_nothing(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    pk = desk.call_pk(desk.call())
    page.goto(f"{desk.server.url}/history/{pk}/")
    page.locator("[name=text]").press_sequentially("rrr?1")
    expect(page.locator("[name=text]")).to_have_value("rrr?1")
    assert desk.vendor.rejects == []


@LANGUAGES
def test_a_note_is_written_without_leaving_the_board(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(language), agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("n")
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("王秀英")
    dialog.get_by_role("textbox").press_sequentially("r: calls back")  # keys mean nothing else meanwhile
    dialog.get_by_role("button", name={"zh-hans": "添加备注", "en": "Add the note"}[language]).click()
    expect(dialog).to_be_hidden()
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "ringing")
    assert desk.server.sql("SELECT text FROM calls_note WHERE call_id = ?", pk) == [("r: calls back",)]


# Nothing moves, and the focus stays


def give_to_another_team(desk: Desk, pk: int) -> None:
    """The account that was called, as if it were another one; pages then get a whole board, without the call."""
    sql = desk.server.sql
    sql("INSERT INTO calls_team (name) VALUES (?)", f"beside {desk.team}")
    sql(
        "INSERT INTO calls_account (app_id, wxid, name, created_at)"
        " SELECT app_id, ?, '', created_at FROM calls_account WHERE wxid = ?",
        f"{desk.wxid}9", desk.wxid,
    )  # fmt: skip
    sql("UPDATE calls_call SET account_id = (SELECT id FROM calls_account WHERE wxid = ?) WHERE id = ?", f"{desk.wxid}9", pk)
    sql(
        "UPDATE calls_account SET team_id = (SELECT id FROM calls_team WHERE name = ?) WHERE wxid = ?",
        f"beside {desk.team}", f"{desk.wxid}9",
    )  # fmt: skip


def top_of(page: Page, pk: int) -> float:
    return float(page.locator(f"#call-{pk}").evaluate("card => card.getBoundingClientRect().top"))


def test_no_card_moves_under_the_pointer_when_one_above_it_leaves(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first_agent, second_agent = desk.staffed(2)
    page, other = sign_in(window(), first_agent), sign_in(window(), second_agent)
    first, second = two_calls(desk, page)
    page.locator(f"#call-{second}").hover()
    before = top_of(page, second)
    other.locator(f"#call-{first} button.reject").click()
    expect(page.locator(f"#call-{first}")).to_have_attribute("data-status", "rejected")
    other.mouse.move(0, 0)
    expect(other.locator(f"#ended #call-{first}")).to_be_visible()  # there it has left
    expect(page.locator(f"#ringing #call-{first}")).to_be_visible()
    assert abs(top_of(page, second) - before) < 1
    page.mouse.move(0, 0)
    expect(page.locator(f"#ended #call-{first}")).to_be_visible()


def test_the_focus_goes_to_the_next_call_when_its_own_has_gone(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    first, second = two_calls(desk, page)
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"#call-{first}")).to_be_focused()
    give_to_another_team(desk, first)
    expect(page.locator(f"#call-{first}")).to_have_count(0)
    expect(page.locator(f"#call-{second}")).to_be_focused()


def test_the_focus_stays_on_the_button_whose_card_is_drawn_anew(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    pk = desk.call_pk(desk.call())
    desk.vendor.misbehave("/wechat/handleVoipCall", "limit")
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    page.keyboard.press("ArrowDown")
    for _ in range(4):  # the caller's name, "Reject", "I take this one", "Silence for me"
        page.keyboard.press("Tab")
    expect(page.locator(f"#call-{pk} [data-silence]")).to_be_focused()
    page.locator(f"#call-{pk} button.reject").evaluate("button => button.click()")
    expect(page.locator(f"#call-{pk} .note")).to_be_visible()
    expect(page.locator(f"#call-{pk} [data-silence]")).to_be_focused()


# What is heard


@LANGUAGES
def test_an_arrival_is_said_at_once_and_an_outcome_politely(
    desk: Desk, window: Window, sign_in: SignIn, language: str
) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(language), agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator("[role=alert]#said-at-once")).to_contain_text(WORDS[language]["new"])
    said = page.locator("[role=status]#said-politely")
    page.locator(f"#call-{pk} button.reject").click()
    expect(said).to_contain_text("王秀英")
    expect(said).to_contain_text({"zh-hans": "已拒接", "en": "Rejected"}[language])


def test_no_time_that_is_left_is_ever_said(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    pk = desk.call_pk(desk.call())
    card = page.locator(f"#call-{pk}")
    expect(card).to_be_visible()
    spoken = "node => Boolean(node.closest('[aria-live], [role=status], [role=alert], [role=timer]'))"
    for timer in (card.locator(".age"), card.locator(".left"), page.locator("#connection span")):
        assert not timer.evaluate(spoken)


def test_many_calls_at_once_are_said_as_a_number(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    desk.calls_at_once(7)
    expect(page.locator("#ringing .call")).to_have_count(7)
    expect(page.locator("#said-at-once")).to_have_text("7 new calls")
