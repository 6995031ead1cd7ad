"""Take the screenshots in docs/screens/: `python -m tests.browser.screens`.

Every screen as people see it: on a desk, a small laptop and a phone, light and dark, in Chinese and English, with 0, 1, 7
and 60 ringing calls, and with names of 1 and of 60 characters.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from itertools import cycle
from pathlib import Path

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.settings")

import django

django.setup()  # first: it loads the models that the imports below need

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from calls.vendor.sandbox import Sandbox
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.installation import ROOT
from tests.server import running_server

from .conftest import ARGUMENTS, give_session
from .install import chromium
from .states import admin_of, seven_calls

FOLDER = ROOT / "docs" / "screens"
COLOURS = 128  # of a picture: enough to judge it by, at a third of the size
SIZES = {"wide": (1440, 900), "laptop": (1024, 768), "phone": (390, 844), "wall": (1920, 1080)}
LOOKS = [("zh-hans", "light"), ("en", "dark"), ("zh-hans", "dark"), ("en", "light")]
PAGES = {
    "follow-up": "/follow-up/", "history": "/history/", "call": "/history/{call}/", "reports": "/reports/?period=7d",
    "floor": "/floor/", "callbacks": "/callbacks/", "preferences": "/preferences/",
}  # fmt: skip


@contextmanager
def a_desk(calls: int) -> Iterator[tuple[Desk, str, dict[str, int]]]:
    """A desk on which so many calls ring, an admin who sees it, and the ids of its calls where there are seven."""
    with Sandbox() as vendor, tempfile.TemporaryDirectory() as folder, running_server(Path(folder)) as server:
        desk = Desk(server, vendor, ring_seconds=600)
        [agent] = desk.staffed(1)
        known: dict[str, int] = {}
        if calls == 7:
            known = seven_calls(desk, agent)
        elif calls:
            desk.calls_at_once(calls)
        yield desk, admin_of(desk), known


def look(browser: Browser, desk: Desk, person: str, size: str, language: str, theme: str) -> BrowserContext:
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        timezone_id="Asia/Shanghai",
        base_url=desk.server.url,
    )
    context.add_cookies([{"name": "django_language", "value": language, "url": desk.server.url}])
    if person:
        give_session(context, desk.server, person)
    return context


def keep(page: Page, name: str) -> None:
    picture = Image.open(BytesIO(page.screenshot(animations="disabled"))).convert("RGB")
    picture.quantize(COLOURS).save(FOLDER / f"{name}.png", optimize=True)
    print(name)


def open_board(page: Page, address: str, calls: int) -> None:
    page.goto(address)
    expect(page.locator("#connection")).to_have_attribute("data-state", "live")
    expect(page.locator("#ringing .call")).to_have_count({7: 5}.get(calls, calls))


def take_boards(browser: Browser) -> None:
    looks = cycle(LOOKS)
    for calls in (0, 1, 7, 60):
        with a_desk(calls) as (desk, person, _):
            for size in SIZES:
                language, theme = next(looks)
                with look(browser, desk, person, size, language, theme) as context:
                    page = context.new_page()
                    open_board(page, "/wall/" if size == "wall" else "/", calls)
                    keep(page, f"board-{calls}-{size}-{language[:2]}-{theme}")
            next(looks)  # so that each size is seen in each look


def take_pages(browser: Browser) -> None:
    with a_desk(7) as (desk, person, calls):
        session = desk.server.sign_in(person, PASSWORD)
        for pk in (calls["missed"], calls["rejected"]):
            session.post(
                f"{desk.server.url}/calls/{pk}/follow-up/",
                headers={"X-CSRFToken": session.cookies["csrftoken"], "Referer": desk.server.url}, timeout=10,
            )  # fmt: skip
        for number, (name, address) in enumerate(PAGES.items()):
            for size, (language, theme) in zip(("wide", "phone"), (LOOKS[number % 2], LOOKS[2 + number % 2]), strict=True):
                with look(browser, desk, person, size, language, theme) as context:
                    page = context.new_page()
                    page.goto(address.format(call=calls["refused"]), wait_until="networkidle")
                    keep(page, f"{name}-{size}-{language[:2]}-{theme}")
        for size, (language, theme) in zip(("wide", "phone"), LOOKS, strict=False):
            with look(browser, desk, "", size, language, theme) as context:
                page = context.new_page()
                page.goto("/login/")
                keep(page, f"sign-in-{size}-{language[:2]}-{theme}")


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for old in FOLDER.glob("*.png"):
        old.unlink()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        take_boards(browser)
        take_pages(browser)
        browser.close()


if __name__ == "__main__":
    main()
