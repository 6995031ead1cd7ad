"""The vendor's access tokens: fetched once, kept in the database for all processes, and renewed early.

Within a process one renews and the others wait for it.
"""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_noop

from .models import VendorApp
from .vendor import client

NO_TOKEN = gettext_noop("no access token")
RENEWED_BEFORE = timedelta(minutes=5)  # of its end, or at half its life where that is shorter

_locks: dict[int, threading.Lock] = defaultdict(threading.Lock)


class TokenRefused(Exception):
    """The vendor refused a token; `answer` says why."""

    def __init__(self, answer: client.Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


def credentials_of(app: VendorApp) -> client.Credentials:
    return client.Credentials(app.base_url, app.app_id, app.app_secret, app.access_token)


def current(app: VendorApp, left: Callable[[], float], not_this: str = "") -> str:
    """A token that should be valid, other than `not_this` (which the vendor no longer takes).

    left: tells the seconds left; raises client.NotSent once there are none.
    Raises: TokenRefused; client.NotSent where none could be fetched, so that nothing was asked with it.
    """
    if app.access_token:
        return app.access_token
    if _usable(app, not_this):
        return app.token
    lock = _locks[app.pk]
    if not lock.acquire(timeout=left()):
        raise client.NotSent(f"{NO_TOKEN}: {client.TIMED_OUT}")
    try:
        app.refresh_from_db(fields=["token", "token_good_until"])  # perhaps somebody else renewed it meanwhile
        if not _usable(app, not_this):
            _renew(app, left())
    finally:
        lock.release()
    return app.token


def _usable(app: VendorApp, not_this: str) -> bool:
    good_until = app.token_good_until
    return bool(app.token and app.token != not_this and good_until and good_until > timezone.now())


def _renew(app: VendorApp, within: float) -> None:
    try:
        answer = client.fetch_token(credentials_of(app), within)
        if answer.errcode not in {"0", ""}:
            raise TokenRefused(answer)
        token, lasts = client.token_in(answer)
    except client.NoAnswer as error:
        raise client.NotSent(f"{NO_TOKEN}: {error}") from error
    lifetime = timedelta(seconds=lasts)
    app.token = token
    app.token_good_until = timezone.now() + lifetime - min(RENEWED_BEFORE, lifetime / 2)
    app.save(update_fields=["token", "token_good_until"])
