"""Two people side by side: who is online, who looks at a call, who takes it, who is away; and the floor."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.desk import Desk

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

both_languages = pytest.mark.parametrize("language", ["zh-hans", "en"])

WORDS = {
    "zh-hans": {
        "two": "2 人在线", "one": "1 人在线", "away": "1 人离开", "looks": "{} 正在查看", "take": "我来处理",
        "takes": "{} 来处理", "give back": "放回", "take over": "改由我处理", "I am away": "已离开，不响铃",
        "looks at": "正在查看 王秀英", "nobody": "没有人在线",
    },
    "en": {
        "two": "2 online", "one": "1 online", "away": "1 away", "looks": "{} is looking", "take": "I take this one",
        "takes": "{} takes it", "give back": "Give back", "take over": "Take over", "I am away": "You are away, no sound",
        "looks at": "looks at 王秀英", "nobody": "Nobody is online",
    },
}  # fmt: skip


def online(page: Page, text: str) -> None:
    expect(page.locator("#people-count")).to_contain_text(text)


@both_languages
def test_colleagues_see_each_other_come_and_go(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    words = WORDS[language]
    first, second = desk.staffed(2)
    page = sign_in(window(language), first)
    online(page, f"{desk.team} · {words['one']}")
    other = sign_in(window(language), second)
    for shown in (page, other):
        online(shown, f"{desk.team} · {words['two']}")
    page.click("#people summary")
    expect(page.locator("#people-list li")).to_contain_text([first, second])
    other.context.close()
    online(page, words["one"])
    expect(page.locator("#people-list li")).to_have_count(1)
    expect(page.locator("#people")).to_have_attribute("open", "")


@both_languages
def test_others_see_who_looks_at_a_call_and_the_button_stays_where_it_is(
    desk: Desk, window: Window, sign_in: SignIn, language: str
) -> None:
    first, second = desk.staffed(2)
    page, other = sign_in(window(language), first), sign_in(window(language, reduced_motion="reduce"), second)
    pk = desk.call_pk(desk.call())
    card, slot = f"#call-{pk}", f"#call-{pk} .lookers"
    expect(other.locator(card)).to_be_visible()
    other.mouse.move(0, 0)
    before = other.locator(f"{card} button.reject").bounding_box()
    page.locator(card).hover()
    expect(other.locator(slot)).to_have_text(WORDS[language]["looks"].format(first))
    assert other.locator(f"{card} button.reject").bounding_box() == before
    expect(page.locator(slot)).to_have_text("")  # not of oneself
    page.mouse.move(0, 0)
    expect(other.locator(slot)).to_have_text("")
    page.keyboard.press("ArrowDown")  # the focus counts as well
    expect(other.locator(slot)).to_have_text(WORDS[language]["looks"].format(first))


def test_a_card_that_changes_still_says_who_looks_at_it(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first, second = desk.staffed(2)
    page, other = sign_in(window("en"), first), sign_in(window("en"), second)
    pk = desk.call_pk(desk.call())
    page.locator(f"#call-{pk}").hover()
    expect(other.locator(f"#call-{pk} .lookers")).to_have_text(f"{first} is looking")
    page.locator(f"#call-{pk} .take button").click()
    expect(other.locator(f"#call-{pk} .taken")).to_contain_text(f"{first} takes it")
    expect(other.locator(f"#call-{pk} .lookers")).to_have_text(f"{first} is looking")


@both_languages
def test_one_takes_a_call_and_gives_it_back(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    words = WORDS[language]
    first, second = desk.staffed(2)
    page, other = sign_in(window(language), first), sign_in(window(language), second)
    pk = desk.call_pk(desk.call())
    mine, theirs = page.locator(f"#call-{pk}"), other.locator(f"#call-{pk}")
    mine.get_by_role("button", name=words["take"]).click()
    for card in (mine, theirs):
        expect(card.locator(".taken")).to_contain_text(words["takes"].format(first))
        expect(card.locator("button.reject")).to_be_visible()
    expect(theirs.get_by_role("button", name=words["give back"])).to_have_count(0)
    expect(theirs.get_by_role("button", name=words["take over"])).to_have_count(0)
    mine.get_by_role("button", name=words["give back"]).click()
    expect(theirs.get_by_role("button", name=words["take"])).to_be_visible()
    theirs.get_by_role("button", name=words["take"]).click()
    expect(mine.locator(".taken")).to_contain_text(words["takes"].format(second))
    assert desk.vendor.rejects == []


@both_languages
def test_a_supervisor_takes_a_call_over(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    words = WORDS[language]
    [agent], boss = desk.staffed(1), desk.person("--supervisor")
    page, other = sign_in(window(language), agent), sign_in(window(language), boss)
    pk = desk.call_pk(desk.call())
    page.locator(f"#call-{pk}").get_by_role("button", name=words["take"]).click()
    other.locator(f"#call-{pk}").get_by_role("button", name=words["take over"]).click()
    expect(page.locator(f"#call-{pk} .taken")).to_contain_text(words["takes"].format(boss))
    expect(page.locator(f"#call-{pk}").get_by_role("button", name=words["give back"])).to_have_count(0)


def test_the_key_t_takes_the_focused_call_and_the_focus_stays(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("t")
    expect(page.locator(f"#call-{pk} .taken")).to_contain_text(f"{agent} takes it")
    expect(page.locator(f"#call-{pk}")).to_be_focused()


def test_the_focus_stays_on_the_button_that_it_was_on_while_others_act(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first, second = desk.staffed(2)
    page, other = sign_in(window("en"), first), sign_in(window("en"), second)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    page.keyboard.press("ArrowDown")
    for _ in range(2):  # the caller's name, "Reject"
        page.keyboard.press("Tab")
    other.locator(f"#call-{pk} .take button").click()
    expect(page.locator(f"#call-{pk} .taken")).to_contain_text(second)
    expect(page.locator(f"#call-{pk} button.reject")).to_be_focused()


def test_the_calls_page_follows_who_takes_it_and_counts_as_looking(desk: Desk, window: Window, sign_in: SignIn) -> None:
    first, second = desk.staffed(2)
    pk = desk.call_pk(desk.call())
    board, page = sign_in(window("en"), first), sign_in(window("en"), second)
    page.goto(f"{desk.server.url}/history/{pk}/")
    expect(board.locator(f"#call-{pk} .lookers")).to_have_text(f"{second} is looking")
    page.get_by_role("button", name="I take this one").click()
    expect(page.get_by_role("button", name="Give back")).to_be_visible()
    expect(page.locator(".timeline")).to_contain_text(f"{second} takes it")
    expect(board.locator(f"#call-{pk} .taken")).to_contain_text(f"{second} takes it")


@both_languages
def test_away_silences_and_is_said_to_all(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    words = WORDS[language]
    first, second = desk.staffed(2)
    page, other = sign_in(window(language), first), sign_in(window(language), second)
    second_tab = page.context.new_page()
    second_tab.goto(f"{desk.server.url}/history/")
    page.click("details.me summary")
    page.click(".go-away button[value='15']")
    for tab in (page, second_tab):
        expect(tab.locator("#me-away")).to_contain_text(words["I am away"])
    expect(page.locator("details.me summary")).to_be_focused()
    online(other, f"{words['one']} · {words['away']}")
    expect(other.locator("#people-list .is-away")).to_contain_text(first)
    expect(other.locator("#me-away")).to_be_hidden()
    rang = page.locator("html").get_attribute("data-rang")
    pk = desk.call_pk(desk.call())
    expect(other.locator("html")).to_have_attribute("data-rang", "1")
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "ringing")
    assert page.locator("html").get_attribute("data-rang") == rang
    page.click("#me-away button")
    expect(page.locator("#me-away")).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-rang", "1")
    online(other, words["two"])
    expect(second_tab.locator("#me-away")).to_be_hidden()


def test_whoever_acts_is_back(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    page.click("details.me summary")
    page.click(".go-away button[value='']")
    expect(page.locator("#me-away")).to_be_visible()
    pk = desk.call_pk(desk.call())
    page.locator(f"#call-{pk} .take button").click()
    expect(page.locator("#me-away")).to_be_hidden()


def test_away_is_over_by_itself(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    page.click("details.me summary")
    page.click(".go-away button[value='15']")
    expect(page.locator("#me-away")).to_be_visible()
    online(page, "1 away")
    desk.server.sql("UPDATE calls_person SET away_until = away_since WHERE username = ?", agent)
    expect(page.locator("#me-away")).to_be_hidden()
    online(page, "1 online")


@both_languages
def test_the_floor_is_live(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    words = WORDS[language]
    [agent], boss = desk.staffed(1), desk.person("--supervisor")
    [(team,)] = desk.server.sql("SELECT id FROM calls_team WHERE name = ?", desk.team)
    floor = sign_in(window(language), boss)
    floor.goto(f"{desk.server.url}/floor/")
    page = sign_in(window(language), agent)
    mine = floor.locator(".floor-teams .panel", has_text=desk.team)
    expect(mine).to_contain_text(agent)
    pk = desk.call_pk(desk.call())
    expect(floor.locator(f"#floor{team}-ringing")).to_have_text("1")
    page.locator(f"#call-{pk}").hover()
    expect(mine.locator(".at-work li", has_text=agent)).to_contain_text(words["looks at"])
    floor.locator(f"#floor{team}-longest").focus()
    page.locator(f"#call-{pk} button.reject").click()
    expect(floor.locator(f"#floor{team}-rejected")).to_have_text("1")
    floor.locator(f"#floor{team}-rejected").focus()
    page.context.close()
    expect(mine.locator(".at-work")).to_have_count(1)
    expect(mine).to_contain_text(words["nobody"])
    expect(floor.locator(f"#floor{team}-rejected")).to_be_focused()  # though all of it was replaced
    floor.click(f"#floor{team}-rejected")
    expect(floor.locator(f"tr[data-call='{pk}']")).to_be_visible()


def test_another_teams_agent_sees_nobody_of_this_one(desk: Desk, window: Window, sign_in: SignIn) -> None:
    other = Desk(desk.server, desk.vendor)
    [here], [there] = desk.staffed(1), other.staffed(1)
    mine, theirs = sign_in(window("en"), here), sign_in(window("en"), there)
    for page, name in ((mine, here), (theirs, there)):
        online(page, "1 online")
        expect(page.locator("#people-list li")).to_contain_text([name])


def test_on_a_phone_the_top_bar_holds_it_all(desk: Desk, window: Window, sign_in: SignIn) -> None:
    page = sign_in(window("en", viewport={"width": 390, "height": 844}), desk.person())
    page.click("details.me summary")
    page.click(".go-away button[value='60']")
    expect(page.locator("#me-away button")).to_be_visible()
    online(page, "1 away")
    page.click("#people summary")
    expect(page.locator("#people-list li")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
