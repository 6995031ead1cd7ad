"""What could not be read is kept, mapped with the helper's help, and replayed into history."""

from __future__ import annotations

from collections.abc import Callable

from playwright.sync_api import BrowserContext, Page, Route, expect

from calls.vendor.sandbox import call_notice
from tests.desk import Desk

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]


def admin_of(desk: Desk) -> str:
    username = desk.person("--supervisor")
    desk.server.sql("UPDATE calls_person SET role = 'admin' WHERE username = ?", username)
    return username


def test_a_wrong_mapping_is_put_right_and_what_was_kept_comes_into_history(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    desk.staffed(1)
    notice = call_notice(desk.wxid, "7881300000000001", 1, nickname="周杰")
    item = notice["data"][0]
    item["call"] = {"id": item.pop("voipid"), "media": item.pop("type")}
    assert desk.server.push(desk.secret, [notice]).status_code == 200
    page = sign_in(window("en"), admin_of(desk))
    page.click("text=Callback log")
    row = page.locator(".kept li", has_text=desk.app)
    expect(row).to_contain_text("no call id")
    row.locator("text=Mapping helper").click()

    expect(page.locator("#verdict")).to_have_text("Not readable: no call id")
    page.click("[name=voipid_path]")
    page.click("[data-path='call.id']")
    expect(page.locator("[name=voipid_path]")).to_have_value("call.id")
    expect(page.locator("#value-voipid_path")).to_have_text("1")
    expect(page.locator("#verdict")).to_contain_text("the kind is neither 1 (video) nor 2 (voice)")
    page.locator("[name=kind_path]").press_sequentially(" call.media", delay=20)
    expect(page.locator("#verdict")).to_contain_text("the kind is neither")  # `type` is found around the item
    page.fill("[name=kind_path]", "call.media")
    expect(page.locator("#verdict")).to_contain_text("Read as a call from 7881300000000001")
    page.click("text=Save")
    expect(page.locator(".said.success").first).to_have_text("Saved. Callbacks are read in this way from now on.")
    page.click("text=Replay all kept callbacks of this app")

    expect(page.locator(".said.success")).to_have_text("1 read: 1 call")
    expect(page.locator("#log tr", has_text=desk.app).locator(".outcome")).to_have_text("Replayed")
    page.click(".places >> text=History")
    row = page.locator("tr", has_text=f"小林{desk.number}")
    expect(row).to_contain_text("周杰")
    expect(row).to_contain_text("Missed")


def test_an_alarm_appears_by_itself_and_a_server_that_does_not_answer_is_no_trouble_of_the_page(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    context = window("en")
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        if len(asked) == 1:
            route.abort()
        elif len(asked) == 2:
            route.fulfill(status=500, body="<p class='alarm'>broken</p>")
        else:
            route.fulfill(status=200, content_type="text/html", body="<p class='alarm bad'><span>nothing comes</span></p>")

    context.route("**/alarms/", fail)
    page = sign_in(context, desk.person("--supervisor"))
    expect(page.locator("#alarms .alarm")).to_have_text("nothing comes", timeout=20_000)
    expect(page.locator("#trouble")).to_be_hidden()
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.evaluate("document.querySelector('#alarms .alarm').dataset.same = 'yes'")
    with page.expect_response("**/alarms/", timeout=15_000):
        pass
    expect(page.locator("#alarms .alarm")).to_have_attribute("data-same", "yes")  # what hasn't changed isn't read out again


def test_on_a_phone_no_word_of_the_menu_is_broken(desk: Desk, window: Window, sign_in: SignIn) -> None:
    page = sign_in(window("en", viewport={"width": 320, "height": 700}), desk.person("--supervisor"))
    lines = page.locator(".places a:not(.brand) span").evaluate_all(
        "all => all.map((span) => [span.innerText, Math.round(span.offsetHeight / 19.5)])"
    )
    assert [label for label, _ in lines] == ["Calls", "Follow up", "History", "Reports", "Callback log", "Floor"]
    assert all(number <= len(label.split()) for label, number in lines), lines
