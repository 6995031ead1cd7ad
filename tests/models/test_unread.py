from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from calls.models import UnreadBody, VendorApp

from ..factory import make_app

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
LONG_AGO = NOW - timedelta(days=365)


def keep(app: VendorApp, content: bytes, received_at: datetime = NOW) -> UnreadBody:
    return UnreadBody.objects.keep(app.pk, received_at, content, "why")


def kept() -> set[bytes]:
    return {body.content for body in UnreadBody.objects.all()}


def test_what_comes_twice_is_kept_once() -> None:
    app = make_app()
    first = keep(app, b"the same", NOW)
    assert keep(app, b"the same", NOW + timedelta(hours=1)) == first
    assert UnreadBody.objects.get().received_at == NOW


def test_what_comes_to_two_apps_is_kept_for_each() -> None:
    keep(make_app(), b"the same")
    keep(make_app(), b"the same")
    assert UnreadBody.objects.count() == 2


def test_several_kept_before_there_were_fingerprints_are_no_duplicates() -> None:
    app = make_app()
    for _ in range(2):
        UnreadBody.objects.create(app=app, received_at=NOW, body=b"sealed", reason="why")
    assert UnreadBody.objects.count() == 2


def test_the_oldest_beyond_so_many_bytes_are_let_go() -> None:
    app = make_app()
    for number in range(6):
        keep(app, b"%d" % number * 100)
    assert UnreadBody.objects.let_go(LONG_AGO, most=10, most_bytes=350) == 3
    assert kept() == {b"3" * 100, b"4" * 100, b"5" * 100}


def test_the_oldest_beyond_so_many_are_let_go() -> None:
    app = make_app()
    for number in range(6):
        keep(app, b"%d" % number)
    assert UnreadBody.objects.let_go(LONG_AGO, most=2, most_bytes=10**9) == 4
    assert kept() == {b"4", b"5"}


def test_what_is_older_than_it_may_be_is_let_go_however_small() -> None:
    app = make_app()
    keep(app, b"old", NOW - timedelta(days=31))
    keep(app, b"new", NOW)
    assert UnreadBody.objects.let_go(NOW - timedelta(days=30), most=10, most_bytes=10**9) == 1
    assert kept() == {b"new"}


def test_nothing_is_let_go_within_the_bounds() -> None:
    keep(make_app(), b"new")
    assert UnreadBody.objects.let_go(LONG_AGO, most=1, most_bytes=3) == 0
