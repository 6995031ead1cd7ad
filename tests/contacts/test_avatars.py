"""Pictures of contacts that called lately: fetched, kept, and tried again seldom."""

from __future__ import annotations

from datetime import timedelta
from http.server import BaseHTTPRequestHandler

import pytest
from django.db import connections
from django.utils import timezone
from pytest_django import Settings

from calls.contacts import LATELY
from calls.contacts.avatars import AGAIN_AFTER, fetch_next
from calls.models import Avatar, Call, Contact
from calls.models.call import RECENT

from ..factory import make_account, make_call, make_contact
from .hosts import Host, picture


@pytest.fixture(autouse=True)
def from_inside(settings: Settings) -> None:
    """The strangers of these tests are on this machine."""
    settings.AVATARS_FROM_INSIDE = True


def calling(avatar: str, ago: timedelta = timedelta()) -> Call:
    """A call of somebody who has their picture there."""
    account = make_account()
    return make_call(account, timezone.now() - ago, contact=make_contact(account.app, avatar=avatar))


def a_day_later(avatar: Avatar) -> None:
    Avatar.objects.filter(pk=avatar.pk).update(tried_at=timezone.now() - AGAIN_AFTER - timedelta(seconds=1))


@pytest.mark.django_db
def test_the_picture_is_kept_and_not_fetched_again(host: Host, drawn_anew: list[int]) -> None:
    call = calling(host.serve("/a.png", picture()))
    assert [fetch_next(), fetch_next(), fetch_next()] == [False] * 3
    avatar = Avatar.objects.get()
    assert (avatar.contact, avatar.address, avatar.failure) == (call.contact, f"{host.url}/a.png", "")
    assert bytes(avatar.picture)[8:12] == b"WEBP"
    assert len(avatar.version) == 16
    assert (host.asked, drawn_anew) == (["/a.png"], [call.pk])


@pytest.mark.django_db
def test_who_called_last_comes_first_and_one_at_a_time(host: Host) -> None:
    for minutes in (2, 0, 1):
        calling(host.serve(f"/{minutes}.png", picture()), timedelta(minutes=minutes))
    fetch_next()
    fetch_next()
    assert host.asked == ["/0.png", "/1.png"]


@pytest.mark.django_db
def test_who_has_none_or_did_not_call_lately_is_left_alone(host: Host) -> None:
    calling("")
    calling(host.serve("/a.png", picture()), LATELY + timedelta(minutes=1))
    fetch_next()
    assert host.asked == []


@pytest.mark.django_db
@pytest.mark.parametrize("body", [b"<svg/>", b"", b"x" * 2_000_000])
def test_what_can_not_be_shown_is_remembered_and_tried_again_after_a_day(
    host: Host, body: bytes, drawn_anew: list[int]
) -> None:
    calling(host.serve("/a.png", body))
    fetch_next()
    fetch_next()
    avatar = Avatar.objects.get()
    assert (avatar.version, avatar.failure != "", drawn_anew) == ("", True, [])
    a_day_later(avatar)
    fetch_next()
    assert len(host.asked) == 2


@pytest.mark.django_db
def test_a_failure_does_not_keep_the_next_one_waiting(host: Host) -> None:
    calling(host.serve("/gone.png", b"", 404))
    calling(host.serve("/a.png", picture()), timedelta(minutes=1))
    fetch_next()
    fetch_next()
    assert Avatar.objects.exclude(version="").count() == 1


@pytest.mark.django_db
def test_another_address_brings_another_picture_and_until_then_the_one_before_stays(host: Host) -> None:
    contact = calling(host.serve("/a.png", picture())).contact
    fetch_next()
    before = Avatar.objects.get()
    Contact.objects.update(avatar=host.serve("/gone.png", b"", 404))
    fetch_next()
    kept = Avatar.objects.get()
    assert (kept.version, kept.picture, kept.failure) == (before.version, before.picture, "HTTP 404")
    Contact.objects.update(avatar=host.serve("/b.png", picture(colour="blue")))
    fetch_next()
    after = Avatar.objects.get()
    assert (after.version != before.version, after.failure, after.pk) == (True, "", contact.pk)


@pytest.mark.django_db
def test_all_of_the_contacts_calls_that_boards_may_show_are_drawn_anew(host: Host, drawn_anew: list[int]) -> None:
    call = calling(host.serve("/a.png", picture()))
    earlier = make_call(call.account, timezone.now() - timedelta(hours=2), contact=call.contact)
    make_call(call.account, timezone.now() - RECENT - timedelta(minutes=1), contact=call.contact)
    fetch_next()
    assert drawn_anew == [call.pk, earlier.pk]


def meanwhile(host: Host, change: str) -> str:
    """Have the contact changed while its picture is under way; the address."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        try:
            if change == "erased":
                Call.objects.all().delete()
                Contact.objects.all().delete()
            else:
                Contact.objects.update(avatar="http://elsewhere.example/b.png")
        finally:
            connections.close_all()
        body = picture()
        handler.send_response(200)
        handler.end_headers()
        handler.wfile.write(body)

    return host.reply("/a.png", reply)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", ["erased", "another address"])
def test_a_picture_of_somebody_who_was_erased_or_has_another_by_now_is_dropped(host: Host, change: str) -> None:
    calling(meanwhile(host, change))
    fetch_next()
    assert not Avatar.objects.exists()


@pytest.mark.django_db
def test_with_the_setting_as_it_is_nothing_is_fetched_from_inside(host: Host, settings: Settings) -> None:
    settings.AVATARS_FROM_INSIDE = False
    calling(host.serve("/a.png", picture()))
    fetch_next()
    assert "InvalidIPAddress" in Avatar.objects.get().failure
    assert host.asked == []
