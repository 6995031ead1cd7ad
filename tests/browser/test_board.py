"""The board in a real browser: what the vendor may answer, sound, keyboard, strangers' names, no JavaScript, phones."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from calls.vendor.sandbox import Fault
from tests.desk import Desk
from tests.factory import PASSWORD

pytestmark = (
    pytest.mark.engineless
)  # what a page does with what it is sent; that it is sent the same on both engines, others test

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

REJECT = "/wechat/handleVoipCall"

HOSTILE = [
    "<script>document.title='owned'</script>",
    "<img src=x onerror=\"document.title='owned'\">",
    "\"' onmouseover=\"document.title='owned'\" x='",
    "\u202egnirts desrever\u202e",
    "你" * 60,
    "W" * 200,
    "{{ 7|add:7 }}",
]


@pytest.mark.parametrize(
    ("fault", "status", "words", "button"),
    [
        ("not-allowed", "ringing", "白名单（113）", "拒接"),
        ("limit", "ringing", "（407）", "重试"),
        ("broken", "unconfirmed", "没有明确应答", "重试"),
        ("server-error", "unconfirmed", "没有明确应答", "重试"),
        ("lost", "unconfirmed", "没有明确应答", "重试"),
    ],
)
def test_what_went_wrong_is_said_on_the_card_and_the_next_click_works(
    desk: Desk, window: Window, sign_in: SignIn, fault: Fault, status: str, words: str, button: str
) -> None:
    first, second = desk.staffed(2)
    page, other = sign_in(window(), first), sign_in(window(), second)
    desk.vendor.misbehave(REJECT, fault)
    pk = desk.call_pk(desk.call())
    page.locator(f"#call-{pk} button.reject").click()
    for shown in (page, other):
        card = shown.locator(f"#call-{pk}")
        expect(card.locator(".note")).to_contain_text(words)
        expect(card).to_have_attribute("data-status", status)
        expect(card.locator("button.reject")).to_contain_text(button)
    page.locator(f"#call-{pk} button.reject").click()
    expect(other.locator(f"#call-{pk}")).to_have_attribute("data-status", "rejected")
    assert len(desk.vendor.rejects) == 2


def test_a_vendor_that_cannot_be_reached_is_said_on_the_card(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    desk.server.manage("vendor_app", desk.app, "--base-url", "http://127.0.0.1:9")
    pk = desk.call_pk(desk.call())
    page.locator(f"#call-{pk} button.reject").click()
    expect(page.locator(f"#call-{pk} .note")).to_contain_text("could not be reached")
    expect(page.locator(f"#call-{pk} button.reject")).to_contain_text("Retry")


def test_a_call_is_missed_when_its_ring_window_runs_out(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    desk.server.manage("vendor_app", desk.app, "--ring-seconds", "2")
    desk.wait_for_ring_seconds(2)
    page = sign_in(window("en"), agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "ringing")
    expect(page.locator(f"#ended #call-{pk}")).to_contain_text("Missed")


def test_an_age_is_counted_from_the_servers_time(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window("en")
    context.clock.install(time="2020-01-01T00:00:00Z")  # a reader whose clock is years off
    context.clock.resume()
    page = sign_in(context, agent)
    pk = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{pk} .age")).to_have_text("0:02")
    expect(page.locator(f"#call-{pk} .left")).to_contain_text("about 5")


def test_it_rings_once_the_browser_lets_it_and_stops_with_the_last_call(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window()
    cookies = desk.server.sign_in(agent, PASSWORD).cookies.items()
    context.add_cookies([{"name": name, "value": value, "url": desk.server.url} for name, value in cookies])
    page = context.new_page()
    page.goto(desk.server.url)  # signed in already, so nothing has been clicked on this page
    expect(page.locator("#sound")).to_contain_text("声音已关闭，点按测试")
    page.click("#sound")
    expect(page.locator("#sound")).to_be_hidden()
    expect(page.locator("html")).to_have_attribute("data-rang", "1")  # the test
    pk = desk.call_pk(desk.call())
    expect(page.locator("html")).to_have_attribute("data-rang", "2")
    expect(page.locator("html")).to_have_attribute("data-rang", "3")  # and again, while it rings
    page.locator(f"#call-{pk} button.reject").click()
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "rejected")
    rang = page.locator("html").get_attribute("data-rang")
    page.wait_for_timeout(3_500)  # longer than from one ring to the next
    expect(page.locator("html")).to_have_attribute("data-rang", rang or "")


def test_the_keyboard_alone_is_enough(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    first, second = (desk.call_pk(desk.call(chat_wxid=f"78813{number}")) for number in (1, 2))
    expect(page.locator(f"#call-{second}")).to_be_visible()
    page.keyboard.press("ArrowDown")
    expect(page.locator(f"#call-{first}")).to_be_focused()
    page.keyboard.press("j")
    expect(page.locator(f"#call-{second}")).to_be_focused()
    page.keyboard.press("r")
    expect(page.locator(f"#call-{second}")).to_have_attribute("data-status", "rejected")
    page.keyboard.press("k")
    page.keyboard.press("Tab")  # the caller's name, which leads to the call
    page.keyboard.press("Tab")
    expect(page.locator(f"#call-{first} button.reject")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator(f"#call-{first}")).to_have_attribute("data-status", "rejected")


def test_cards_are_in_order_oldest_first_and_ended_ones_newest_first(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    pks = [desk.call_pk(desk.call(chat_wxid=f"78813{number}")) for number in range(4)]
    expect(page.locator("#ringing .call")).to_have_count(4)
    ids = page.locator("#ringing .call").evaluate_all("cards => cards.map(card => card.id)")
    assert ids == [f"call-{pk}" for pk in pks]
    for pk in (pks[2], pks[0]):
        page.locator(f"#call-{pk} button.reject").click()
    page.mouse.move(0, 0)
    expect(page.locator("#ended .call")).to_have_count(2)
    ids = page.locator("#ended .call").evaluate_all("cards => cards.map(card => card.id)")
    assert ids == [f"call-{pks[2]}", f"call-{pks[0]}"]


def test_an_earlier_call_of_the_same_contact_is_counted(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    first, second, third = (desk.call_pk(desk.call()) for _ in range(3))
    expect(page.locator(f"#call-{first}")).to_contain_text("First call")
    expect(page.locator(f"#call-{second}")).to_contain_text("2nd call in 24 h")
    expect(page.locator(f"#call-{third}")).to_contain_text("3rd call in 24 h")


@pytest.mark.parametrize("nickname", HOSTILE, ids=range(len(HOSTILE)))
def test_a_strangers_name_is_only_a_name(desk: Desk, window: Window, sign_in: SignIn, nickname: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en", viewport={"width": 390, "height": 844}), agent)
    pk = desk.call_pk(desk.call(nickname))
    card = page.locator(f"#call-{pk}")
    assert card.locator("h3 bdi").text_content() == nickname
    card.hover()
    expect(page).to_have_title("(1) Calls · Ringdesk")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    expect(card.locator("button.reject")).to_be_visible()
    page.goto(f"{desk.server.url}/history/{pk}/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert "owned" not in page.title() or nickname in page.title()


def test_without_javascript_a_plain_form_rejects(desk: Desk, window: Window) -> None:
    [agent] = desk.staffed(1)
    pk = desk.call_pk(desk.call())
    page = window("en", java_script_enabled=False).new_page()
    page.goto(desk.server.url)
    page.fill("[name=username]", agent)
    page.fill("[name=password]", PASSWORD)
    page.click("main button.primary")
    page.locator(f"#call-{pk} button.reject").click()
    expect(page.locator(f"#ended #call-{pk}")).to_contain_text("Rejected")
    expect(page).to_have_url(f"{desk.server.url}/")


def test_a_click_after_the_session_has_ended_leads_to_the_sign_in(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window()
    context.route_web_socket("**/ws/board/**", lambda page_side: None)  # a page that isn't told
    page = context.new_page()
    cookies = desk.server.sign_in(agent, PASSWORD).cookies.items()
    context.add_cookies([{"name": name, "value": value, "url": desk.server.url} for name, value in cookies])
    pk = desk.call_pk(desk.call())
    page.goto(desk.server.url)
    context.clear_cookies(name="sessionid")
    page.locator(f"#call-{pk} button.reject").click()
    expect(page).to_have_url(f"{desk.server.url}/login/")
    assert desk.vendor.rejects == []


def test_the_language_can_be_switched_and_stays(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(), agent)
    expect(page.locator("h1")).to_have_text("来电")
    page.locator(".topbar > .language button").click()
    expect(page.locator("h1")).to_have_text("Calls")
    page.goto(f"{desk.server.url}/history/")
    expect(page.locator("h1")).to_have_text("History")


def test_times_are_in_the_readers_zone_and_in_full_on_hover(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    voipid = desk.call()
    desk.server.sql("UPDATE calls_call SET received_at = '2026-03-01 12:00:05.250000' WHERE voipid = ?", voipid)
    pk = desk.call_pk(voipid)
    page = sign_in(window("en", timezone_id="America/New_York"), agent)
    page.goto(f"{desk.server.url}/history/?from=2026-03-01&to=2026-03-01")
    row = page.locator(f"tr[data-call='{pk}'] time")
    expect(row).to_have_text("03-01 07:00:05")
    expect(row).to_have_attribute("title", "2026-03-01 07:00:05 UTC-5")


def test_ringing_calls_are_counted_on_every_page(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    page.goto(f"{desk.server.url}/history/")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    desk.call()
    expect(page.locator(".places .count")).to_have_text("1")
    expect(page).to_have_title("(1) History · Ringdesk")


def history_of_video_calls(desk: Desk, window: Window, sign_in: SignIn) -> tuple[Page, int, int]:
    """History after a click on the filter; and a voice call, which it hides, and a video call, which it shows."""
    [agent] = desk.staffed(1)
    voice, video = desk.call_pk(desk.call(kind=2)), desk.call_pk(desk.call(kind=1))
    page = sign_in(window("en"), agent)
    page.goto(f"{desk.server.url}/history/")
    page.select_option("[name=kind]", "1")
    expect(page.locator(f"tr[data-call='{voice}']")).to_have_count(0)
    return page, voice, video


def test_history_is_filtered_at_once_and_the_address_says_so(desk: Desk, window: Window, sign_in: SignIn) -> None:
    page, voice, video = history_of_video_calls(desk, window, sign_in)
    expect(page.locator(f"tr[data-call='{video}']")).to_be_visible()
    assert "kind=1" in page.url
    page.reload()
    expect(page.locator(f"tr[data-call='{voice}']")).to_have_count(0)


def test_the_way_back_leads_to_the_whole_history_page(desk: Desk, window: Window, sign_in: SignIn) -> None:
    page, voice, video = history_of_video_calls(desk, window, sign_in)
    page.click(f"tr[data-call='{video}'] a")
    expect(page.locator(".one-call")).to_be_visible()
    page.go_back()
    expect(page.locator("nav.places")).to_be_visible()
    expect(page.locator("[name=kind]")).to_have_value("1")
    expect(page.locator(f"tr[data-call='{voice}']")).to_have_count(0)
    page.go_back()
    expect(page.locator("nav.places")).to_be_visible()
    expect(page.locator(f"tr[data-call='{voice}']")).to_be_visible()
    expect(page.locator("[name=kind]")).to_have_value("")


def test_the_page_of_a_call_follows_what_happens_to_it(desk: Desk, window: Window, sign_in: SignIn) -> None:
    one, other = desk.staffed(2)
    pk = desk.call_pk(desk.call())
    watching = sign_in(window("en"), one)
    watching.goto(f"{desk.server.url}/history/{pk}/")
    expect(watching.locator(".panel .outcome").first).to_have_text("Ringing")
    expect(watching.locator("#connection")).to_be_hidden()  # what isn't sent live isn't called live
    board = sign_in(window("en"), other)
    board.click(f"#call-{pk} .reject")
    expect(watching.locator(".panel .outcome").first).to_have_text("Rejected")
    expect(watching.locator(".timeline")).to_contain_text("Accepted by the vendor.")


def test_on_a_phone_the_connection_keeps_its_word_beside_the_sound_button(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    page = sign_in(window("en", viewport={"width": 390, "height": 844}), desk.person())
    page.evaluate("document.getElementById('sound').hidden = false")
    expect(page.locator("#connection span")).to_have_text("Live")
    cut, beyond = page.evaluate(
        """() => {
          const word = document.querySelector("#connection span");
          return [word.scrollWidth > word.clientWidth, document.documentElement.scrollWidth > innerWidth];
        }"""
    )
    assert not cut
    assert not beyond


@pytest.mark.parametrize("size", [{"width": 1280, "height": 720}, {"width": 390, "height": 844}])
def test_alarms_cover_at_most_about_a_fifth_of_the_board(
    desk: Desk, window: Window, sign_in: SignIn, size: dict[str, int]
) -> None:
    context = window("en", viewport=size)
    alarms = "<p class='alarm bad'><span>Nothing comes any more, which is not normal at this time of a day.</span></p>" * 8
    context.route("**/alarms/", lambda route: route.fulfill(status=200, content_type="text/html", body=alarms))
    page = sign_in(context, desk.person("--supervisor"))
    expect(page.locator("#alarms .alarm")).to_have_count(8)
    box = page.locator("#alarms").bounding_box()
    assert box is not None
    assert box["height"] <= 0.21 * size["height"]
