"""Calls are taken away as they are on the screen; a long export can be left alone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Download, Page, expect

from tests import tables
from tests.desk import Desk
from tests.waiting import eventually

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

MANY = 6000  # calls: more than go out at once


def on_screen(page: Page, zone: str) -> tables.Table:
    return tables.on_page(page.locator("#table table").evaluate("table => table.outerHTML"), zone)


def body_of(download: Download) -> bytes:
    return Path(download.path()).read_bytes()


def click(page: Page, what: str) -> Download:
    with page.expect_download() as waiting:
        page.click(what)
    return waiting.value


@pytest.mark.parametrize(("button", "read"), [("CSV", tables.in_csv), ("Excel", tables.in_workbook)], ids=["CSV", "Excel"])
@pytest.mark.parametrize(("language", "zone"), [("zh-hans", "Asia/Shanghai"), ("en", "America/New_York")])
def test_a_file_is_what_the_screen_shows_with_its_filters(
    desk: Desk,
    window: Window,
    sign_in: SignIn,
    language: str,
    zone: str,
    button: str,
    read: Callable[[bytes], tables.Table],
) -> None:
    [agent] = desk.staffed(1)
    pks = [desk.call_pk(desk.call(nickname=f"王{number}", kind=1 + number % 2)) for number in range(3)]
    page = sign_in(window(language, timezone_id=zone), agent)
    eventually(lambda: all(desk.server.sql("SELECT screens FROM calls_call WHERE id = ?", pk) == [(1,)] for pk in pks))
    page.goto(f"{desk.server.url}/history/")
    expect(page.locator("#table tbody tr")).to_have_count(3)
    page.select_option("[name=kind]", "1")
    expect(page.locator("#table tbody tr")).to_have_count(2)
    found = read(body_of(click(page, f"form.export >> text={button}")))
    assert found == on_screen(page, zone)


def test_a_long_export_can_be_left_alone_and_fetched_later(desk: Desk, window: Window, sign_in: SignIn) -> None:
    [agent] = desk.staffed(1)
    pk = desk.call_pk(desk.call())
    desk.server.sql(
        "WITH RECURSIVE numbers (number) AS (SELECT 1 UNION ALL SELECT number + 1 FROM numbers WHERE number < ?)"
        " INSERT INTO calls_call (account_id, contact_id, voipid, kind, received_at, rings_until, outcome, screens,"
        " screens_with_sound, version) SELECT account_id, contact_id, 'long-' || number, kind,"
        " '2026-03-01 00:00:00', '2026-03-01 00:01:00', 'missed', 1, 0, 1 FROM numbers, calls_call WHERE id = ?",
        MANY,
        pk,
    )
    page = sign_in(window("en"), agent)
    page.goto(f"{desk.server.url}/history/")
    page.click("form.export >> text=CSV")
    row = page.locator(".exports tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_have_attribute("data-state", "done")  # without a click
    expect(row).to_contain_text("All calls")
    expect(row).to_contain_text(str(MANY + 1))
    assert len(tables.in_csv(body_of(click(page, "text=Download")))) == MANY + 2
