from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.http import HttpRequest, HttpResponseBase
from django.test import RequestFactory

from calls.models import Person
from dashboard.middleware import reader_time_zone

from ..factory import make_call, make_client, make_person
from .reading import words_of

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 1, 15, 12, 0, 0, tzinfo=UTC)


def call_page(zone: str | None) -> str:
    """The page of a call that came at noon UTC, as a browser with this cookie shows it."""
    client = make_client(make_person(password=None, role=Person.Role.SUPERVISOR))
    if zone is not None:
        client.cookies["timezone"] = zone
    page = client.get(f"/history/{make_call(received_at=NOON).pk}/")
    assert page.status_code == 200
    return words_of(page)


@pytest.mark.parametrize(
    ("zone", "shown"),
    [("UTC", "12:00:00"), ("America/New_York", "07:00:00"), ("Asia/Kolkata", "17:30:00"), ("Asia/Shanghai", "20:00:00")],
)
def test_times_are_those_of_the_readers_zone(zone: str, shown: str) -> None:
    assert shown in call_page(zone)


def test_without_a_cookie_times_are_those_of_the_installation() -> None:
    assert "20:00:00" in call_page(None)


@pytest.mark.parametrize(
    "junk",
    [
        "",
        "../../etc/passwd",
        "/etc/passwd",
        "America",
        ".",
        "..",
        "Mars/Olympus",
        "UTC\x00",
        "tzdata.zi",
        "<script>alert(1)</script>",
        "Zürich",
        "x" * 4000,
        "x/" * 2000 + "x",
    ],
)
def test_a_zone_that_does_not_exist_is_ignored(junk: str) -> None:
    page = call_page(junk)
    assert "20:00:00" in page
    assert "root:" not in page


def test_an_error_of_a_page_is_not_told_as_one_of_the_zone(rf: RequestFactory) -> None:
    def fails(request: HttpRequest) -> HttpResponseBase:
        raise LookupError("the page's own")

    with pytest.raises(LookupError, match="the page's own") as raised:
        reader_time_zone(fails)(rf.get("/"))
    assert raised.value.__context__ is None


def test_one_readers_zone_does_not_stay_for_the_next() -> None:
    call_page("America/New_York")
    assert "20:00:00" in call_page(None)
