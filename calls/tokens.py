"""The vendor's access tokens: fetched once, kept in the database for all processes, and renewed early.

One renews and the others wait for it: the threads of a process by a lock in memory, all processes by one that frees itself
when its holder dies (`locks.py`).
"""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

from django.utils import timezone
from django.utils.translation import gettext_noop

from .locks import alone
from .models import VendorApp
from .results import DATABASE_AWAY
from .vendor import client

logger = logging.getLogger(__name__)

NO_TOKEN = gettext_noop("no access token")
NO_DATABASE = gettext_noop("the database does not answer")
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
    try:
        with _sole_renewal(app.pk, left):
            app.refresh_from_db(fields=["token", "token_good_until"])  # perhaps somebody else renewed it meanwhile
            if not _usable(app, not_this):
                _renew(app, left())
    except DATABASE_AWAY as error:
        raise client.NotSent(f"{NO_TOKEN}: {NO_DATABASE}") from error
    return app.token


@contextmanager
def _sole_renewal(app_pk: int, left: Callable[[], float]) -> Iterator[None]:
    """Hold off every other renewal for this app.

    Raises: client.NotSent where there is no time left to wait for them; one of DATABASE_AWAY.
    """
    lock = _locks[app_pk]
    if not lock.acquire(timeout=left()):
        raise client.NotSent(f"{NO_TOKEN}: {client.TIMED_OUT}")
    try:
        with alone(f"token-{app_pk}", left):
            yield
    finally:
        lock.release()


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
    try:
        app.save(update_fields=["token", "token_good_until"])
    except DATABASE_AWAY:  # the token is good all the same; whoever comes next has to fetch another
        logger.exception("a new access token could not be stored")
