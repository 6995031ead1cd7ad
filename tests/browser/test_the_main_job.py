"""A call reaches every screen, one click rejects it, and the record says who: in both languages."""

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Page, expect

from tests.desk import Desk

SignIn = Callable[[BrowserContext, str], Page]
Window = Callable[..., BrowserContext]

WORDS = {
    "zh-hans": {"video": "视频", "reject": "拒接", "rejected": "已拒接", "rejecting": "正在拒接", "first": "首次来电"},
    "en": {"video": "Video", "reject": "Reject", "rejected": "Rejected", "rejecting": "is rejecting", "first": "First call"},
}


@pytest.mark.parametrize("language", ["zh-hans", "en"])
def test_two_agents_see_a_call_and_one_rejects_it(desk: Desk, window: Window, sign_in: SignIn, language: str) -> None:
    words = WORDS[language]
    first, second = desk.staffed(agents=2)
    one = sign_in(window(language), first)
    other = sign_in(window(language), second)
    desk.vendor.misbehave("/wechat/handleVoipCall", "slow")

    pk = desk.call_pk(desk.call("周杰", kind=1))

    for page in (one, other):
        card = page.locator(f"#call-{pk}")
        expect(card).to_have_attribute("data-status", "ringing")
        expect(card).to_contain_text("周杰")
        expect(card).to_contain_text(words["video"])
        expect(card).to_contain_text(f"小林{desk.number}")
        expect(card).to_contain_text(words["first"])
        expect(page).to_have_title(title_beginning("(1)"))
    one.click(f"#call-{pk} >> text={words['reject']}")
    expect(other.locator(f"#call-{pk}")).to_have_attribute("data-status", "rejecting")
    expect(other.locator(f"#call-{pk}")).to_contain_text(words["rejecting"])
    expect(other.locator(f"#call-{pk}")).to_contain_text(first)
    one.mouse.move(0, 0)  # a card stays for as long as the pointer is on it
    for page in (one, other):
        card = page.locator(f"#call-{pk}")
        expect(card).to_have_attribute("data-status", "rejected")
        expect(card).to_contain_text(words["rejected"])
        expect(page.locator(f"#ended #call-{pk}")).to_be_visible()
    assert len(desk.vendor.rejects) == 1

    other.locator(".places a[href='/history/']").click()
    row = other.locator(f"tr[data-call='{pk}']")
    expect(row).to_contain_text("周杰")
    expect(row).to_contain_text(words["rejected"])
    expect(row).to_contain_text(first)
    row.locator("td.time a").click()
    expect(other.locator(".timeline .accepted")).to_contain_text('"errcode": 0')


def title_beginning(begins: str) -> re.Pattern[str]:
    return re.compile(rf"^{re.escape(begins)} ")
