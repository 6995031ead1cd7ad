"""What the main pages look like, compared with pictures of how they should.

Where a change was meant: `python -m pytest tests/browser/test_pictures.py --take` takes them anew.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Literal

import pytest
from PIL import Image, ImageChops
from playwright.sync_api import BrowserContext, Page, ViewportSize, expect

from tests.desk import Desk

from .conftest import give_session
from .states import seven_calls

pytestmark = pytest.mark.engineless

Window = Callable[..., BrowserContext]
Name = Literal["no-call", "one-call", "seven-calls", "stale", "history", "call", "sign-in"]

PICTURES = Path(__file__).parent / "pictures"
DIFFERENT = 32  # of 255, for a point of the picture: less is a letter that was smoothed otherwise
ALLOWED = 0.002  # of the points of a picture

# What is another at each run: numbers, which are in names, moments and ages as well; colours of people; what moves.
STILL = """
  *, *::before, *::after { animation: none !important; transition: none !important; caret-color: transparent !important; }
  .window, .spinner, #sound, #alarms { visibility: hidden !important; }
"""
SAME = """() => {
  const last = setInterval(() => {}, 1e6);
  for (let timer = 0; timer <= last; timer++) clearInterval(timer);
  const pill = document.querySelector("#connection[data-state=stale] span");
  if (pill) pill.textContent = "…";
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) texts.currentNode.data = texts.currentNode.data.replace(/\\d+/g, "0");
  for (const avatar of document.querySelectorAll(".avatar")) avatar.className = "avatar tint-0";
}"""


@dataclass(frozen=True)
class Sight:
    """How somebody looks at a page."""

    language: str
    theme: Literal["light", "dark"]
    size: tuple[int, int]

    @property
    def view(self) -> ViewportSize:
        return {"width": self.size[0], "height": self.size[1]}

    def __str__(self) -> str:
        return f"{self.language[:2]}-{self.theme}-{self.size[0]}"


DESK = Sight("zh-hans", "light", (1440, 900))
NIGHT = Sight("en", "dark", (1440, 900))
PHONE = Sight("zh-hans", "light", (390, 844))

TAKEN: list[tuple[Name, Sight]] = [
    ("no-call", DESK),
    ("one-call", DESK),
    ("one-call", PHONE),
    ("seven-calls", DESK),
    ("seven-calls", NIGHT),
    ("seven-calls", PHONE),
    ("stale", NIGHT),
    ("history", DESK),
    ("history", PHONE),
    ("call", NIGHT),
    ("sign-in", DESK),
    ("sign-in", PHONE),
]


@pytest.mark.parametrize(("name", "sight"), TAKEN, ids=lambda part: str(part))
def test_a_page_looks_as_it_did(
    name: Name, sight: Sight, lasting: Desk, window: Window, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    context = window(
        sight.language, viewport=sight.view, color_scheme=sight.theme, reduced_motion="reduce", device_scale_factor=1
    )
    page = context.new_page()
    open_page(page, name, lasting)
    picture = Image.open(BytesIO(take(page))).convert("RGB")
    file = PICTURES / f"{name}-{sight}.png"
    if pytestconfig.getoption("--take"):
        picture.quantize(64).save(file, optimize=True)
        return
    wanted = Image.open(file).convert("RGB")
    compare(wanted, picture.quantize(64).convert("RGB"), tmp_path / f"{name}-{sight}.png")


def open_page(page: Page, name: Name, desk: Desk) -> None:
    """The page with what is on it, as far as it is loaded."""
    if name == "sign-in":
        page.goto(f"{desk.server.url}/login/")
        return
    [agent] = desk.staffed(1)
    if name == "one-call":
        desk.call_pk(desk.call())
    calls = seven_calls(desk, agent) if name in ("seven-calls", "stale", "history", "call") else {}
    address = {"history": "/history/", "call": f"/history/{calls.get('refused')}/"}.get(name, "/")
    give_session(page.context, desk.server, agent)
    if name == "stale":
        page.context.route_web_socket("**/ws/board/**", lambda socket: socket.close())
    page.goto(f"{desk.server.url}{address}")
    expect(page.locator("#connection")).to_have_attribute("data-state", "stale" if name == "stale" else "live")
    page.wait_for_load_state("networkidle")  # with the first board, parts of pages are loaded anew


def take(page: Page) -> bytes:
    """A picture of it, with what is another each time made the same."""
    page.add_style_tag(content=STILL)
    page.evaluate(SAME)
    page.evaluate("document.fonts.ready")
    return page.screenshot()


def compare(wanted: Image.Image, picture: Image.Image, found: Path) -> None:
    """Raises: AssertionError, with a file that shows both and, in white, where they differ."""
    assert picture.size == wanted.size
    difference = ImageChops.difference(wanted, picture).convert("L").point(lambda value: 255 * (value > DIFFERENT))
    part = difference.histogram()[255] / (picture.width * picture.height)
    if part <= ALLOWED:
        return
    beside = Image.new("RGB", (3 * picture.width, picture.height))
    for place, shown in enumerate([picture, wanted, difference.convert("RGB")]):
        beside.paste(shown, (place * picture.width, 0))
    beside.save(found)
    pytest.fail(f"{part:.2%} of the page looks different. What it is, what it should be, and where they differ: {found}")
