"""The real thing on its first start: an admin with a one-time password, who is told what to do next."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from playwright.sync_api import BrowserContext, expect

from calls.vendor.sandbox import Sandbox, call_notice
from tests.factory import AES_KEY
from tests.server import running_server


def test_an_admin_is_led_from_the_first_sign_in_to_the_first_call(
    tmp_path: Path, sandbox: Sandbox, window: Callable[..., BrowserContext]
) -> None:
    with running_server(tmp_path) as server:
        printed = re.search(r"one-time password\s+(\S+)", (tmp_path / "server.log").read_text())
        assert printed
        page = window("en").new_page()
        page.goto(server.url)
        page.fill("[name=username]", "admin")
        page.fill("[name=password]", printed[1])
        page.click("main button.primary")
        expect(page).to_have_url(f"{server.url}/password/")
        page.fill("[name=old_password]", printed[1])
        for name in ("new_password1", "new_password2"):
            page.fill(f"[name={name}]", "a better password than that")
        page.click("main button.primary")
        expect(page.locator(".steps")).to_contain_text("Connect the vendor")

        page.click("text=Add a vendor app")
        filled = {"name": "Main", "base_url": sandbox.url, "app_id": sandbox.app_id, "app_secret": sandbox.app_secret}
        for name, value in (filled | {"aes_key": AES_KEY}).items():
            page.fill(f"[name={name}]", value)
        page.click("[name=_save]")
        page.goto(server.url)
        address = page.locator(".steps code").text_content() or ""
        assert address.startswith(f"{server.url}/callbacks/")
        answer = server.push(address.rstrip("/").rpartition("/")[2], [call_notice("168", "788", 1, nickname="周杰")])
        assert answer.status_code == 200
        expect(page.locator("#ringing")).to_contain_text("周杰")

        page.click("text=Add a person")
        page.fill("[name=username]", "lilei")
        for name in ("password1", "password2"):
            page.fill(f"[name={name}]", "a password for Li Lei")
        page.click("[name=_save]")
        page.goto(server.url)
        expect(page.locator(".steps")).to_have_count(0)


def test_the_credentials_can_be_tested_from_the_admin(
    tmp_path: Path, sandbox: Sandbox, window: Callable[..., BrowserContext]
) -> None:
    with running_server(tmp_path) as server:
        server.manage(
            "vendor_app", "Main", "--app-id", sandbox.app_id, "--app-secret", "wrong", "--aes-key", AES_KEY,
            "--base-url", sandbox.url,
        )  # fmt: skip
        password = re.search(r"one-time password\s+(\S+)", (tmp_path / "server.log").read_text())
        assert password
        server.sql("UPDATE calls_person SET must_change_password = false")
        context = window("en")
        cookies = server.sign_in("admin", password[1]).cookies.items()
        context.add_cookies([{"name": name, "value": value, "url": server.url} for name, value in cookies])
        page = context.new_page()
        for secret, words in (("wrong", "the app_secret is wrong (102)"), (sandbox.app_secret, "the credentials work")):
            server.manage("vendor_app", "Main", "--app-secret", secret)
            page.goto(f"{server.url}/admin/calls/vendorapp/")
            page.check("[name=_selected_action]")
            page.select_option("[name=action]", "test_credentials")
            page.click("[name=index]")
            expect(page.locator(".messagelist")).to_contain_text(words)
