"""How a call is noticed: the sound and whose turn it is, the tab's title and icon; and the looks that were chosen."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.desk import Desk

pytestmark = pytest.mark.engineless  # what pages do, whatever the calls are stored in

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]


def rings(page: Page) -> int:
    return int(page.locator("html").get_attribute("data-rang") or 0)


def test_of_several_pages_of_one_browser_one_rings(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window()
    page = sign_in(context, agent)
    second = context.new_page()
    second.goto(desk.server.url)
    expect(second.locator("#connection")).to_have_attribute("data-state", "live")
    second.locator("h1").click()  # from here on it could be heard as well
    desk.call()
    expect(page.locator("html")).to_have_attribute("data-rang", "2")
    assert rings(second) == 0
    expect(second.locator("#sound")).to_be_hidden()  # sound is on, if elsewhere


def test_another_page_rings_once_the_one_that_did_is_closed(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window()
    page = sign_in(context, agent)
    second = context.new_page()
    second.goto(desk.server.url)
    second.locator("h1").click()
    desk.call()
    expect(page.locator("html")).to_have_attribute("data-rang", "1")
    page.close()
    expect(second.locator("html")).to_have_attribute("data-rang", "1")


def test_the_sound_that_is_chosen_and_its_volume_can_be_tried_and_stay(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    page.goto(f"{desk.server.url}/preferences/")
    expect(page.get_by_label("Two tones")).to_be_checked()
    for sound in ("Bell", "Marimba"):
        rang = rings(page)
        page.get_by_label(sound).check()
        page.get_by_role("button", name="Test", exact=True).click()
        expect(page.locator("html")).to_have_attribute("data-rang", str(rang + 1))
    page.get_by_label("Volume").fill("30")
    page.reload()
    expect(page.get_by_label("Marimba")).to_be_checked()
    expect(page.get_by_label("Volume")).to_have_value("30")


def test_the_tab_counts_in_its_title_and_its_icon(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    pks = [desk.call_pk(desk.call(chat_wxid=f"78814{number}")) for number in range(2)]
    expect(page).to_have_title("(2) Calls · Ringdesk")
    expect(page.locator("#favicon")).to_have_attribute("href", "/icon/2.svg")
    for pk in pks:
        page.locator(f"#call-{pk} button.reject").click()
    expect(page).to_have_title("Calls · Ringdesk")
    expect(page.locator("#favicon")).to_have_attribute("href", "/icon/0.svg")


GROUND = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(244, 245, 247)", "rgb(14, 17, 22)"


@pytest.mark.parametrize(("scheme", "ground"), [("light", LIGHT), ("dark", DARK)])
def test_pages_look_as_the_system_has_it(desk: Desk, window: Window, sign_in: SignIn, scheme: str, ground: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(color_scheme=scheme), agent)
    assert page.evaluate(GROUND) == ground


def test_a_choice_of_colours_counts_at_once_and_more_than_the_system(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en", color_scheme="light"), agent)
    page.goto(f"{desk.server.url}/preferences/")
    page.get_by_label("Dark").check()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    assert page.evaluate(GROUND) == DARK
    page.goto(desk.server.url)
    assert page.evaluate(GROUND) == DARK


def test_the_wall_screen_has_letters_for_five_metres_and_no_menus(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(viewport={"width": 1920, "height": 1080}), agent)
    page.goto(f"{desk.server.url}/wall/")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    pk = desk.call_pk(desk.call())
    card = page.locator(f"#call-{pk}")
    size = "part => parseFloat(getComputedStyle(part).fontSize)"
    assert card.locator(".age").evaluate(size) >= 72
    assert card.locator("h3").evaluate(size) >= 40
    expect(page.locator(".places")).to_be_hidden()
    expect(page.locator("#connection")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 1920


def test_nothing_is_animated_for_whoever_wants_no_motion(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(reduced_motion="reduce"), agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_be_visible()
    assert page.evaluate("document.getAnimations().length") == 0
    page.locator(f"#call-{pk} button.reject").click()
    page.mouse.move(0, 0)
    expect(page.locator(f"#ended #call-{pk}")).to_be_visible()
