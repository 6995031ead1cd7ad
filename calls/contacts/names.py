"""Names of contacts that called lately, asked of the vendor where its notices don't say them."""

from __future__ import annotations

import logging
import time
from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from .. import tokens
from ..models import Contact, VendorApp
from ..vendor import client, errors
from . import draw_anew, first_due

logger = logging.getLogger(__name__)

ASKED_WITHIN = 3.0  # seconds
TOKEN_WITHIN = 1.0  # seconds; a click that needs the token too waits for no longer
AGAIN_AFTER = timedelta(days=1)
AGAIN_AFTER_FAILURE = timedelta(hours=1)
FIRST_PAUSE, LONGEST_PAUSE = 10.0, 600.0  # seconds without a question, while the vendor fails

# What the vendor refuses whomever it is asked about; other refusals are taken to be about the contact.
AT_FAULT = {"101", "102", "103", "113", "114", "405", "407", "1001"} | errors.TOKEN_CODES


class VendorFails(Exception):
    """There is no use in asking on."""


class Asking:
    """Asks for one contact at a time, and none of a vendor app for a while after it failed."""

    def __init__(self) -> None:
        self._pauses: dict[int, tuple[float, float]] = {}  # by vendor app: until when (monotonic), and how long it is

    def ask_next(self) -> bool:
        """Ask about whoever called last of those who are due. Never about more than one, so that a second passes before the
        next: that is an eighth of what the vendor allows.

        Returns: False, for a job that is done for now. Raises: django.db.Error.
        """
        contact = first_due(self._is_due())
        if contact is None:
            return False
        # Noted first: whatever becomes of it, nobody is asked about in a circle.
        _not_before(contact, AGAIN_AFTER_FAILURE)
        try:
            found = _ask(contact)
        except VendorFails as error:
            self._pause(contact.app, error)
            return False
        self._pauses.pop(contact.app_id, None)
        _not_before(contact, AGAIN_AFTER)
        _keep(contact, found)
        return False

    def _is_due(self) -> Q:
        """That something of a contact isn't known, and the vendor can be asked for it."""
        paused = [app for app, (until, _) in self._pauses.items() if until > time.monotonic()]
        nobody = Q(wxid__startswith=Contact.ERASED) | Q(app__app_secret="", app__access_token="") | Q(app__in=paused)
        unknown = Q(nickname="") | Q(avatar="")
        return unknown & ~nobody & (Q(ask_after=None) | Q(ask_after__lte=timezone.now()))

    def _pause(self, app: VendorApp, why: VendorFails) -> None:
        _, before = self._pauses.get(app.pk, (0.0, 0.0))
        pause = min(before * 2 or FIRST_PAUSE, LONGEST_PAUSE)
        self._pauses[app.pk] = time.monotonic() + pause, pause
        logger.info("%s: names of contacts can't be asked for; again in %.0f s: %s", app, pause, why)


def _ask(contact: Contact) -> client.Detail:
    """By way of the account that they called last. Raises: VendorFails."""
    app = contact.app
    account = contact.calls.order_by("-received_at", "-id").values_list("account__wxid", flat=True).first()
    if account is None:  # they are being erased
        return client.Detail("", "")
    try:
        answer = _asked(app, account, contact.wxid)
        if answer.errcode in errors.TOKEN_CODES and not app.access_token:  # renewed once, as for a reject
            answer = _asked(app, account, contact.wxid, not_this=app.token)
    except (client.NotSent, client.NoAnswer, tokens.TokenRefused) as error:
        raise VendorFails(str(error)) from error
    if answer.errcode in AT_FAULT:
        raise VendorFails(f"{answer.errcode} {answer.message}")
    return client.detail_in(answer)


def _asked(app: VendorApp, account: str, contact: str, not_this: str = "") -> client.Answer:
    until = time.monotonic() + TOKEN_WITHIN
    token = tokens.current(app, lambda: _left(until), not_this)
    return client.contact_detail(tokens.credentials_of(app), token, wxid=account, contact=contact, within=ASKED_WITHIN)


def _left(until: float) -> float:
    """Seconds. Raises: client.NotSent once there are none."""
    left = until - time.monotonic()
    if left <= 0:
        raise client.NotSent(client.TIMED_OUT)
    return left


def _not_before(contact: Contact, pause: timedelta) -> None:
    Contact.objects.filter(pk=contact.pk).update(ask_after=timezone.now() + pause)


def _keep(contact: Contact, found: client.Detail) -> None:
    """What notices said, then or meanwhile, counts first."""
    this = Contact.objects.filter(pk=contact.pk)
    named = found.nickname and this.filter(nickname="").update(nickname=found.nickname)
    if found.avatar:
        this.filter(avatar="").update(avatar=found.avatar)
    if named:
        draw_anew(contact.pk)
