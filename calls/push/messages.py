"""What is pushed about a call, in the active language. The service worker shows it as it is."""

from __future__ import annotations

from datetime import datetime
from typing import NotRequired, TypedDict

from django.utils.text import Truncator
from django.utils.translation import gettext, pgettext

from ..models import Call

LONGEST = 120  # characters of a name that a stranger chose; a message holds 4 KB in all


class Message(TypedDict):
    """As service-worker.js reads it; pages tell it of calls in the same form."""

    call: int
    title: str
    body: str
    received: int  # ms since 1970
    until: NotRequired[int]  # the end of the ring window, ms since 1970; none where the call is over


def ringing(call: Call) -> Message:
    """Who calls whom."""
    team = str(call.account.team) if call.account.team else gettext("no team")
    to = pgettext("a call to an account", "to")
    kind = call.get_kind_display().capitalize()
    return _of(call, f"{kind} · {to} {call.account} ({team})") | {"until": _ms(call.rings_until)}


def over(call: Call) -> Message:
    """What became of it, and by whom."""
    return _of(call, _what_became_of(call))


def _of(call: Call, body: str) -> Message:
    title = Truncator(call.contact).chars(LONGEST)
    return {"call": call.pk, "title": title, "body": body, "received": _ms(call.received_at)}


def _what_became_of(call: Call) -> str:
    if call.outcome == Call.Outcome.RULE:
        return gettext("Rejected by a rule.")
    if call.status == Call.Status.REJECTED:
        return gettext("%(name)s rejected it.") % {"name": call.claimed_by}
    if call.status == Call.Status.ENDED:
        return gettext("It has ended.")
    if call.status == Call.Status.UNCONFIRMED:
        return gettext("It rings no more. Nobody knows whether it was rejected: the vendor gave no clear answer.")
    return gettext("Missed: it rings no more.")


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)
