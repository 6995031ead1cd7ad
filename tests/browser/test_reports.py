"""Figures lead to the calls they count, in the reader's zone; and a report can be read on a phone."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import BrowserContext, Locator, Page, expect

from tests.desk import Desk
from tests.factory import PASSWORD

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]
FIRST, LAST = "2025-10-31", "2025-11-03"  # with New York's night of 25 hours


def past_calls(desk: Desk) -> str:
    """A call of every hour from 31 October to 3 November 2025, UTC. Returns: an agent who sees them."""
    [agent] = desk.staffed(1)
    desk.call()
    [(call,)] = desk.server.sql("SELECT max(id) FROM calls_call")
    for number in range(96):
        at = datetime(2025, 10, 31) + timedelta(hours=number)
        desk.server.sql(
            "INSERT INTO calls_call (account_id, contact_id, voipid, kind, received_at, rings_until, outcome, version,"
            " screens, screens_with_sound)"
            " SELECT account_id, contact_id, ?, kind, ?, ?, 'missed', 0, ?, 0 FROM calls_call WHERE id = ?",
            f"past {desk.number} {number}", str(at), str(at + timedelta(seconds=60)), number % 2, call,
        )  # fmt: skip
    return agent


def loaded(page: Page) -> Page:
    """Once all sections are there."""
    expect(page.locator("#breakdown table").first).to_be_visible()
    expect(page.locator(".later")).to_have_count(0)
    return page


def leads_to_as_many(page: Page, link: Locator, number: int) -> None:
    address = link.get_attribute("href")
    listed = page.context.new_page()
    listed.goto(page.url.split("/reports/")[0] + str(address))
    expect(listed.locator("tr[data-call]")).to_have_count(min(number, 50))
    listed.close()


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
def test_figures_are_the_lists_that_they_lead_to(zone: str, desk: Desk, window: Window, sign_in: SignIn) -> None:
    page = sign_in(window("en", timezone_id=zone), past_calls(desk))
    page.goto(f"{desk.server.url}/reports/?from={FIRST}&to={LAST}&by=hour")
    loaded(page)
    expect(page.locator(".scope")).to_contain_text(zone)
    total = page.locator(".card a").first
    leads_to_as_many(page, total, int(total.get_attribute("data-number") or ""))
    in_that_night = 2 if zone == "America/New_York" else 1  # the clock showed this hour twice
    calls = "1 call" if in_that_night == 1 else f"{in_that_night} calls"
    bar = page.get_by_role("link", name=f"2025-11-02 1:00 · Missed: {calls}")
    leads_to_as_many(page, bar.first, in_that_night)


def test_a_filter_applies_at_once_and_the_back_button_takes_it_back(desk: Desk, window: Window, sign_in: SignIn) -> None:
    page = sign_in(window("en"), past_calls(desk))
    page.goto(f"{desk.server.url}/reports/?from={FIRST}&to={LAST}")
    loaded(page)
    before = page.locator(".card .value").first.text_content()
    page.select_option("[name=kind]", "1")
    expect(page.locator(".card .value").first).to_have_text("0")
    expect(page).to_have_url(re.compile(r"kind=1"))
    page.go_back()
    expect(page.locator(".card .value").first).to_have_text(str(before))
    page.select_option("[name=period]", "7d")
    expect(page).to_have_url(f"{desk.server.url}/reports/?period=7d")
    expect(page.locator("[name=from]")).to_have_value("")


def test_a_report_can_be_read_on_a_phone(desk: Desk, window: Window, sign_in: SignIn) -> None:
    page = sign_in(window("en", viewport={"width": 390, "height": 800}), past_calls(desk))
    page.goto(f"{desk.server.url}/reports/?from={FIRST}&to={LAST}")
    loaded(page)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    heights = page.locator("svg.chart text").evaluate_all(
        "texts => texts.map((text) => text.getBoundingClientRect().height)"
    )
    assert min(heights) >= 12
    labels = page.locator("svg.chart .label").evaluate_all(
        "all => all.map((label) => [label.getBoundingClientRect().left, label.getBoundingClientRect().right])"
    )
    assert all(left >= 0 for left, _right in labels)


def test_without_scripts_every_section_can_be_read_by_itself(desk: Desk, window: Window) -> None:
    [agent] = desk.staffed(1)
    desk.call()
    context = window("en", java_script_enabled=False)
    cookie = desk.server.sign_in(agent, PASSWORD).cookies
    context.add_cookies([{"name": name, "value": value, "url": desk.server.url} for name, value in cookie.items()])
    page = context.new_page()
    page.goto(f"{desk.server.url}/reports/")
    expect(page.get_by_text("Being counted…").filter(visible=True)).to_have_count(0)
    expect(page.locator(".later a")).to_have_count(5)
    page.click("#breakdown a")
    expect(page.get_by_role("heading", name="By account")).to_be_visible()
