"""Calls are noticed beyond the tab: desktop notifications, what is pushed, and a page where the server can't be reached."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Worker, expect, sync_playwright

from tests.desk import Desk
from tests.waiting import eventually

from .conftest import ARGUMENTS
from .install import WITH_NOTIFICATIONS, chromium

pytestmark = pytest.mark.engineless  # what pages do, whatever the calls are stored in

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

WORDS = {
    "zh-hans": {
        "off": "未在此浏览器开启", "on": "已在此浏览器开启", "test": "通知可用", "first": "请先开启通知",
        "body": "语音 · 打给 小林", "reject": "拒接", "rejected": "已拒接。", "refused": "未拒接：仍在响铃",
        "signed out": "未拒接：你已退出登录",
        "blocked": "浏览器屏蔽了本站的通知", "unreached": "浏览器无法连接其推送服务", "no server": "无法连接来电台",
    },
    "en": {
        "off": "Off in this browser", "on": "On in this browser", "test": "Notifications work",
        "first": "Turn notifications on first", "body": "Voice · to 小林", "reject": "Reject", "rejected": "Rejected.",
        "refused": "Not rejected: it still rings", "signed out": "Not rejected: you are signed out",
        "blocked": "The browser blocks notifications", "unreached": "could not reach its push service",
        "no server": "Ringdesk can't be reached",
    },
}  # fmt: skip

both_languages = pytest.mark.parametrize("language", ["zh-hans", "en"])

REJECT = "/wechat/handleVoipCall"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One that has notifications."""
    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium(WITH_NOTIFICATIONS), args=ARGUMENTS)
        yield running
        running.close()


def worker_of(context: BrowserContext) -> Worker:
    return context.service_workers[-1] if context.service_workers else context.wait_for_event("serviceworker")


def shown(context: BrowserContext) -> list[dict[str, Any]]:
    """The notifications on the screen, as the operating system was given them."""
    found: list[dict[str, Any]] = worker_of(context).evaluate(
        """async () => (await registration.getNotifications()).map(({ tag, title, body, actions, silent }) =>
          ({ tag, title, body, actions: actions.map((one) => one.title), silent }))"""
    )
    return found


def look_away(page: Page) -> None:
    """At another tab. Playwright has each page believe that it is looked at; from here on the open ones know better."""
    for one in page.context.pages:
        one.context.new_cdp_session(one).send("Emulation.setFocusEmulationEnabled", {"enabled": False})
    other = page.context.new_page()

    def is_seen_by_nobody() -> bool:
        other.bring_to_front()
        windows = "clients.matchAll({ type: 'window', includeUncontrolled: true })"
        seen: bool = worker_of(page.context).evaluate(f"async () => (await {windows}).some((one) => one.focused)")
        return not seen

    eventually(is_seen_by_nobody)  # pages and the worker learn of it at different moments
    page.wait_for_function("!document.hasFocus()")


def turned_on(context: BrowserContext, page: Page) -> Page:
    """Notifications are on, and the board is open."""
    page.goto(page.url.rstrip("/") + "/preferences/")
    page.click("[data-do=turn-on]")
    expect(page.locator('[data-part="desktop"]')).to_have_attribute("data-state", "on")
    page.click(".places a >> nth=0")
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    page.wait_for_function("navigator.serviceWorker.controller")
    return page


def click(context: BrowserContext, tag: str, action: str = "") -> None:
    """As the operating system tells it; scripts can't click on a notification, nor extend the event that they make up."""
    worker_of(context).evaluate(
        """async ([tag, action]) => {
          const [notification] = await registration.getNotifications({ tag });
          const event = new NotificationEvent("notificationclick", { notification, action });
          event.waitUntil = () => {};
          dispatchEvent(event);
        }""",
        [tag, action],
    )


def deliver(page: Page, message: dict[str, Any]) -> None:
    """A message of the push service, as the browser gives it to the worker."""
    session = page.context.new_cdp_session(page)
    registrations: list[str] = []

    def note(event: dict[str, Any]) -> None:
        registrations.extend(one["registrationId"] for one in event["registrations"])

    session.on("ServiceWorker.workerRegistrationUpdated", note)
    session.send("ServiceWorker.enable")
    while not registrations:
        page.wait_for_timeout(20)
    origin = re.sub(r"(?<=\d)/.*", "", page.url)
    data = {"origin": origin, "registrationId": registrations[0], "data": json.dumps(message)}
    session.send("ServiceWorker.deliverPushMessage", data)


@both_languages
def test_notifications_are_asked_for_by_a_click_and_tested_by_another(
    desk: Desk, window: Window, sign_in: SignIn, language: str
) -> None:
    words = WORDS[language]
    [agent] = desk.staffed(1)
    context = window(language, permissions=["notifications"])
    page = sign_in(context, agent)
    page.click(".me summary")
    page.click(".menu a >> nth=0")
    part = page.locator('[data-part="desktop"]')
    expect(part.locator("[role=status]")).to_contain_text(words["off"])
    expect(part.get_by_role("button")).to_have_count(1)
    expect(page.locator('[data-part="push"] [role=status]')).to_contain_text(words["first"])
    page.click("[data-do=turn-on]")
    expect(part.locator("[role=status]")).to_contain_text(words["on"])
    page.click("[data-do=test]")
    eventually(lambda: [one["title"] for one in shown(context)] == [words["test"]])
    page.reload()
    expect(part.locator("[role=status]")).to_contain_text(words["on"])
    page.click("[data-do=turn-off]")
    expect(part.locator("[role=status]")).to_contain_text(words["off"])
    eventually(lambda: not shown(context))


@both_languages
def test_a_browser_that_blocks_them_is_explained(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(language, permissions=[]), agent)
    page.add_init_script("Object.defineProperty(Notification, 'permission', { get: () => 'denied' })")
    page.goto(f"{desk.server.url}/preferences/")
    part = page.locator('[data-part="desktop"]')
    expect(part.locator("[role=status]")).to_contain_text(WORDS[language]["blocked"])
    expect(part.get_by_role("button")).to_have_count(0)


@pytest.mark.parametrize(
    ("script", "state"),
    [
        ("delete window.Notification", "unsupported"),
        ("Object.defineProperty(window, 'isSecureContext', { value: false })", "insecure"),
    ],
)
def test_what_the_browser_can_not_do_is_said(desk: Desk, window: Window, sign_in: SignIn, script: str, state: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window("en"), agent)
    page.add_init_script(script)
    page.goto(f"{desk.server.url}/preferences/")
    part = page.locator('[data-part="desktop"]')
    expect(part).to_have_attribute("data-state", state)
    expect(part.locator("[data-when]:visible")).to_have_count(1)
    expect(page.locator('[data-part="push"]')).to_have_attribute("data-state", re.compile("unsupported|first"))


@both_languages
def test_a_call_is_shown_once_however_many_tabs_are_open(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    words = WORDS[language]
    [agent] = desk.staffed(1)
    context = window(language, permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    second = context.new_page()
    second.goto(desk.server.url + "/history/")
    expect(second.locator("#connection")).to_have_attribute("data-state", "live")
    look_away(second)
    look_away(page)
    pk = desk.call_pk(desk.call("王秀英"))
    eventually(lambda: len(shown(context)) == 1)
    for open_page in (page, second):
        expect(open_page.locator("[data-ringing-count] >> nth=0")).to_have_text("1")
    [call] = shown(context)
    assert (call["tag"], call["title"]) == (f"call-{pk}", "王秀英")
    assert call["body"].startswith(f"{words['body']}{desk.number} (desk {desk.number})")
    assert call["actions"] == [words["reject"]]


def test_a_call_that_somebody_looks_at_is_not_shown_again(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window("en", permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    first = desk.call_pk(desk.call())
    expect(page.locator(f"#call-{first}")).to_be_visible()
    look_away(page)
    second = desk.call_pk(desk.call())
    eventually(lambda: [one["tag"] for one in shown(context)] == [f"call-{second}"])


def test_nothing_is_shown_to_whoever_has_not_turned_it_on(desk: Desk, window: Window, sign_in: SignIn) -> None:
    off, on = desk.staffed(2)
    without, with_them = (window("en", permissions=["notifications"]) for _ in range(2))
    page, other = sign_in(without, off), turned_on(with_them, sign_in(with_them, on))
    look_away(page)
    look_away(other)
    desk.call()
    eventually(lambda: len(shown(with_them)) == 1)
    expect(page.locator("#ringing .call")).to_have_count(1)
    assert shown(without) == []


def test_it_goes_when_somebody_else_rejects(desk: Desk, window: Window, sign_in: SignIn) -> None:
    one, colleague = desk.staffed(2)
    context = window("en", permissions=["notifications"])
    page = turned_on(context, sign_in(context, one))
    look_away(page)
    first, second = desk.call_pk(desk.call()), desk.call_pk(desk.call())
    eventually(lambda: len(shown(context)) == 2)
    elsewhere = sign_in(window("en"), colleague)
    elsewhere.click(f"#call-{first} button.reject")
    eventually(lambda: [one["tag"] for one in shown(context)] == [f"call-{second}"])


def test_it_goes_when_the_board_is_looked_at_again(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window("en", permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    look_away(page)
    desk.call()
    eventually(lambda: len(shown(context)) == 1)
    page.bring_to_front()
    eventually(lambda: not shown(context))


def test_it_goes_when_it_rings_no_more_and_no_page_is_open(desk: Desk, window: Window, sign_in: SignIn) -> None:
    desk.ring_seconds = 5
    [agent] = desk.staffed(1)
    desk.server.sql("UPDATE calls_vendorapp SET ring_seconds = 5 WHERE name = ?", desk.app)
    desk.wait_for_ring_seconds(5)
    context = window("en", permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    look_away(page)
    desk.call()
    eventually(lambda: len(shown(context)) == 1)
    page.goto("about:blank")
    eventually(lambda: not shown(context))


@both_languages
def test_a_call_is_rejected_from_its_notification(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    [agent] = desk.staffed(1)
    context = window(language, permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    look_away(page)
    pk = desk.call_pk(desk.call())
    eventually(lambda: len(shown(context)) == 1)
    click(context, f"call-{pk}", "reject")
    eventually(lambda: [one["body"] for one in shown(context)] == [WORDS[language]["rejected"]])
    assert len(desk.vendor.rejects) == 1
    expect(page.locator(f"#call-{pk}")).to_have_attribute("data-status", "rejected")


@both_languages
def test_a_reject_that_the_vendor_refuses_is_not_said_to_be_one(
    desk: Desk, window: Window, sign_in: SignIn, language: str
) -> None:
    [agent] = desk.staffed(1)
    context = window(language, permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    desk.vendor.misbehave(REJECT, "limit")
    look_away(page)
    pk = desk.call_pk(desk.call())
    eventually(lambda: len(shown(context)) == 1)
    click(context, f"call-{pk}", "reject")
    eventually(lambda: any(one["body"].startswith(WORDS[language]["refused"]) for one in shown(context)))
    assert len(desk.vendor.rejects) == 1


@both_languages
def test_a_reject_after_a_sign_out_says_so(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    [agent] = desk.staffed(1)
    context = window(language, permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    look_away(page)
    pk = desk.call_pk(desk.call())
    eventually(lambda: len(shown(context)) == 1)
    context.clear_cookies(name="sessionid")
    click(context, f"call-{pk}", "reject")
    eventually(lambda: any(one["body"].startswith(WORDS[language]["signed out"]) for one in shown(context)))
    assert desk.vendor.rejects == []


def test_a_click_leads_to_the_call_on_the_open_board(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window("en", permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    look_away(page)
    desk.call()
    pk = desk.call_pk(desk.call())
    eventually(lambda: len(shown(context)) == 2)
    # Browsers let a window be brought to the front after a real click only.
    worker_of(context).evaluate("WindowClient.prototype.focus = async function () { return this; }")
    click(context, f"call-{pk}")
    page.wait_for_function("id => document.activeElement.id === id", arg=f"call-{pk}")


def a_call(pk: int, **others: Any) -> dict[str, Any]:
    return {"call": pk, "title": "王秀英", "body": "语音 · 打给 小林 (售后)", "received": 0} | others


def test_what_is_pushed_is_shown_where_no_page_is_looked_at(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window("zh-hans", permissions=["notifications"])
    page = sign_in(context, agent)
    page.wait_for_function("navigator.serviceWorker.controller")
    look_away(page)
    deliver(page, a_call(7, until=9_999_999_999_999))
    eventually(lambda: len(shown(context)) == 1)
    [call] = shown(context)
    assert (call["tag"], call["title"], call["body"]) == ("call-7", "王秀英", "语音 · 打给 小林 (售后)")
    assert call["actions"] == ["拒接"]
    deliver(page, a_call(7, body="李雷 已拒接。"))
    eventually(lambda: [(one["body"], one["actions"]) for one in shown(context)] == [("李雷 已拒接。", [])])
    assert shown(context)[0]["silent"] is True


def test_what_is_pushed_is_not_shown_to_whoever_looks_at_a_page(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    context = window("en", permissions=["notifications"])
    page = sign_in(context, agent)
    page.wait_for_function("navigator.serviceWorker.controller")
    deliver(page, a_call(7, until=9_999_999_999_999))
    look_away(page)
    deliver(page, a_call(8, until=9_999_999_999_999))
    eventually(lambda: [one["tag"] for one in shown(context)] == ["call-8"])


SUBSCRIBING = """
  const made = {
    endpoint: "http://127.0.0.1:9/browser",
    options: {},
    toJSON: () => ({ endpoint: made.endpoint, keys: { p256dh: "%s", auth: "AAAAAAAAAAAAAAAAAAAAAA" } }),
    unsubscribe: async () => void localStorage.removeItem("made"),
  };
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (one) => one.charCodeAt(0));
  PushManager.prototype.getSubscription = async () => {
    if (!localStorage.made) return null;
    made.options.applicationServerKey = bytes(localStorage.made);
    return made;
  };
  PushManager.prototype.subscribe = async function ({ applicationServerKey }) {
    localStorage.made = applicationServerKey;
    return this.getSubscription();
  };
"""


def test_a_browser_that_its_push_service_takes_is_kept_until_it_is_turned_off(
    desk: Desk, window: Window, sign_in: SignIn
) -> None:
    [agent] = desk.staffed(1)
    context = window("en", permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    a_point_of_the_curve = (
        "BGsX0fLhLEJH-Lzm5WOkQPJ3A32BLeszoPShOUXYmMKWT-NC4v4af5uO5-tKfA-eFivOM1drMV7Oy7ZAaDe_UfU"  # the generator
    )
    context.add_init_script(SUBSCRIBING % a_point_of_the_curve)
    page.goto(f"{desk.server.url}/preferences/")
    page.click("[data-do=push-on]")
    part = page.locator('[data-part="push"]')
    expect(part).to_have_attribute("data-state", "on")

    def kept() -> list[tuple[object, ...]]:
        return desk.server.sql(
            "SELECT language FROM calls_pushsubscription s JOIN calls_person p ON p.id = s.person_id WHERE username = ?",
            agent,
        )

    assert [tuple(row) for row in kept()] == [("en",)]
    context.add_cookies([{"name": "django_language", "value": "zh-hans", "url": desk.server.url}])
    page.reload()
    expect(part).to_have_attribute("data-state", "on")
    eventually(lambda: [tuple(row) for row in kept()] == [("zh-hans",)])
    page.click("[data-do=push-off]")
    expect(part).to_have_attribute("data-state", "off")
    assert kept() == []


@both_languages
def test_a_push_service_that_the_browser_can_not_reach_is_said(
    desk: Desk, window: Window, sign_in: SignIn, language: str
) -> None:
    [agent] = desk.staffed(1)
    context = window(language, permissions=["notifications"])
    page = turned_on(context, sign_in(context, agent))
    page.goto(f"{desk.server.url}/preferences/")
    page.click("[data-do=push-on]")
    expect(page.locator('[data-part="push"] [role=status]')).to_contain_text(WORDS[language]["unreached"])


@both_languages
def test_a_server_that_can_not_be_reached_shows_no_old_board_and_is_tried_again(
    desk: Desk, window: Window, sign_in: SignIn, language: str
) -> None:
    [agent] = desk.staffed(1)
    context = window(language)
    page = sign_in(context, agent)
    page.wait_for_function("navigator.serviceWorker.controller")
    desk.call("王秀英")
    expect(page.locator("#ringing")).to_contain_text("王秀英")
    context.set_offline(True)
    page.reload()
    expect(page.locator("h1")).to_have_text(WORDS[language]["no server"])
    expect(page.locator("body")).not_to_contain_text("王秀英")
    context.set_offline(False)
    expect(page.locator("#ringing")).to_contain_text("王秀英")


@both_languages
def test_the_browser_finds_an_app_that_it_can_install(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    [agent] = desk.staffed(1)
    page = sign_in(window(language), agent)
    session = page.context.new_cdp_session(page)
    manifest = session.send("Page.getAppManifest")
    assert manifest["errors"] == []
    assert json.loads(manifest["data"])["name"] == {"zh-hans": "来电台", "en": "Ringdesk"}[language]
    errors = session.send("Page.getInstallabilityErrors")["installabilityErrors"]
    assert [error["errorId"] for error in errors] == ["in-incognito"]  # as each window of these tests is
