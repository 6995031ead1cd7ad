"""Names of contacts that called lately: asked of the vendor, slowly, and no harm where it fails."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from calls.contacts import LATELY, names
from calls.contacts.names import AGAIN_AFTER, Asking
from calls.models import Call, Contact, VendorApp
from calls.receive import Reception
from calls.vendor.client import Detail
from calls.vendor.sandbox import NAMELESS, PEOPLE, Fault, Sandbox

from ..factory import make_account, make_app, make_call, make_contact
from ..server import free_port
from ..test_receive import batch, incoming

pytestmark = pytest.mark.django_db

DETAIL, TOKEN = "/wechat/contactDetail", "/oauth/token"
WITH_AVATAR, WITHOUT = "7881300000000001", "7881300000000003"


@pytest.fixture
def app(sandbox: Sandbox) -> VendorApp:
    return make_app(base_url=sandbox.url)


def calling(app: VendorApp, wxid: str = WITH_AVATAR, ago: timedelta = timedelta(), **fields: Any) -> Call:
    return make_call(make_account(app), timezone.now() - ago, contact=make_contact(app, wxid=wxid, **fields))


def asked(sandbox: Sandbox) -> list[str]:
    return [query["wxid"] for query in sandbox.details]


def test_a_name_and_the_address_of_the_picture_are_asked_for(
    app: VendorApp, sandbox: Sandbox, drawn_anew: list[int]
) -> None:
    call = calling(app)
    assert Asking().ask_next() is False
    contact = Contact.objects.get()
    assert (contact.nickname, contact.avatar) == (PEOPLE[1], f"{sandbox.url}/avatars/1.png")
    [query] = sandbox.details
    assert (query["rel_wxid"], query["wxid"]) == (call.account.wxid, WITH_AVATAR)
    assert drawn_anew == [call.pk]


def test_nobody_is_asked_about_again_within_a_day(app: VendorApp, sandbox: Sandbox) -> None:
    calling(app, WITHOUT)  # whose picture stays missing
    asking = Asking()
    asking.ask_next()
    asking.ask_next()
    Asking().ask_next()  # as after a restart
    assert asked(sandbox) == [WITHOUT]
    Contact.objects.update(ask_after=timezone.now() - timedelta(seconds=1))
    asking.ask_next()
    assert asked(sandbox) == [WITHOUT] * 2
    assert Contact.objects.filter(ask_after__gt=timezone.now() + AGAIN_AFTER - timedelta(minutes=1)).exists()


def test_one_is_asked_about_at_a_time_whoever_called_last_first(app: VendorApp, sandbox: Sandbox) -> None:
    wxids = [str(7881300000000001 + number) for number in range(3)]
    for number, wxid in enumerate(wxids):
        calling(app, wxid, timedelta(minutes=10 - number))
    asking = Asking()
    asking.ask_next()
    assert asked(sandbox) == [wxids[2]]
    asking.ask_next()
    asking.ask_next()
    assert asked(sandbox) == wxids[::-1]


@pytest.mark.parametrize(
    ("fields", "ago"),
    [
        ({"nickname": "王", "avatar": "https://a.example/"}, timedelta()),
        ({}, LATELY + timedelta(minutes=1)),
        ({"wxid": "erased-5"}, timedelta()),
    ],
    ids=["known", "long ago", "erased"],
)
def test_who_need_not_be_asked_about_is_not(app: VendorApp, sandbox: Sandbox, fields: Any, ago: timedelta) -> None:
    calling(app, ago=ago, **fields)
    Asking().ask_next()
    assert asked(sandbox) == []


def test_without_credentials_nothing_is_asked(sandbox: Sandbox) -> None:
    calling(make_app(base_url=sandbox.url, app_secret=""))
    Asking().ask_next()
    assert (sandbox.tokens, sandbox.details) == ([], [])


def test_what_a_notice_said_counts_first(app: VendorApp, sandbox: Sandbox) -> None:
    calling(app, nickname="as the notice said")
    Asking().ask_next()
    contact = Contact.objects.get()
    assert (contact.nickname, contact.avatar) == ("as the notice said", f"{sandbox.url}/avatars/1.png")


def test_what_a_notice_said_meanwhile_counts_first(app: VendorApp) -> None:
    call = calling(app)
    Contact.objects.update(nickname="as a notice said meanwhile")
    names._keep(call.contact, Detail("as the vendor said", ""))
    assert Contact.objects.get().nickname == "as a notice said meanwhile"


def test_what_a_notice_says_later_takes_the_place_of_what_was_asked(app: VendorApp) -> None:
    reception = Reception()
    reception.take_in([batch(app, incoming(nickname=""))])
    Contact.objects.update(nickname="as the vendor said")
    reception.take_in([batch(app, incoming(voipid="other", nickname="as a notice says"))])
    assert Contact.objects.get().nickname == "as a notice says"


def test_what_colleagues_wrote_is_never_overwritten(app: VendorApp) -> None:
    calling(app, remark="our remark", tags=["ours"], mark=Contact.Mark.BLOCKED)
    Asking().ask_next()
    contact = Contact.objects.get()
    assert (contact.remark, contact.tags, contact.mark, contact.nickname) == ("our remark", ["ours"], "blocked", PEOPLE[1])


@pytest.mark.parametrize(
    "fault",
    [
        "hang",
        "refused",
        "limit",
        "not-allowed",
        "token-expired-always",
        "broken",
        "server-error",
        "lost",
        "cut-off",
        "garbage",
    ],
)
def test_a_vendor_that_fails_is_left_in_peace_for_a_while(
    app: VendorApp, sandbox: Sandbox, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(names, "ASKED_WITHIN", 0.3)
    sandbox.misbehave(DETAIL, fault, always=True)
    for wxid in (WITH_AVATAR, WITHOUT):
        calling(app, wxid)
    asking = Asking()
    asking.ask_next()
    number = len(sandbox.details)
    asking.ask_next()
    assert len(sandbox.details) == number <= 2
    assert set(Contact.objects.values_list("nickname", flat=True)) == {""}


def test_pauses_grow_and_end_with_an_answer(app: VendorApp, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(names, "FIRST_PAUSE", 0.2)
    sandbox.misbehave(DETAIL, "refused", "refused")
    for number in range(4):
        calling(app, str(7881300000000001 + number))
    asking = Asking()
    asking.ask_next()
    time.sleep(0.2)
    asking.ask_next()
    time.sleep(0.2)
    asking.ask_next()  # twice as long
    assert len(sandbox.details) == 2
    time.sleep(0.2)
    asking.ask_next()
    asking.ask_next()
    assert len(sandbox.details) == 4


def test_one_vendor_app_that_fails_keeps_no_other_waiting(app: VendorApp, sandbox: Sandbox) -> None:
    calling(make_app(base_url=f"http://127.0.0.1:{free_port()}"))
    calling(app, ago=timedelta(minutes=5))
    asking = Asking()
    asking.ask_next()
    asking.ask_next()
    assert asked(sandbox) == [WITH_AVATAR]


def test_who_the_vendor_does_not_know_is_asked_about_once_and_holds_up_nobody(app: VendorApp, sandbox: Sandbox) -> None:
    calling(app, "unknown")
    calling(app, WITHOUT, timedelta(minutes=5))
    asking = Asking()
    asking.ask_next()
    asking.ask_next()
    asking.ask_next()
    assert asked(sandbox) == ["unknown", WITHOUT]


def test_a_token_that_has_expired_is_renewed_once(app: VendorApp, sandbox: Sandbox) -> None:
    sandbox.misbehave(DETAIL, "token-expired")
    calling(app)
    Asking().ask_next()
    assert (len(sandbox.details), Contact.objects.get().nickname) == (2, PEOPLE[1])


def test_who_calls_themselves_nothing_gets_the_vendors_name(app: VendorApp) -> None:
    calling(app, str(7881300000000000 + PEOPLE.index("")))
    Asking().ask_next()
    assert Contact.objects.get().nickname == NAMELESS


def test_a_token_that_does_not_come_costs_clicks_no_more_than_a_second(app: VendorApp, sandbox: Sandbox) -> None:
    sandbox.misbehave(TOKEN, "hang", always=True)
    calling(app)
    started = time.monotonic()
    Asking().ask_next()
    assert time.monotonic() - started < 2.5
