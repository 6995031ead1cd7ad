"""What the templates of cards, history and call pages need beyond Django's own tags."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache

from django import template
from django.contrib.humanize.templatetags.humanize import ordinal
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext, ngettext

from ..models import Attempt, Call
from ..vendor import errors, reasons

register = template.Library()

SHAPES = {
    "time": "%H:%M:%S",
    "minute": "%H:%M",
    "short": "%m-%d %H:%M:%S",
    "long": "%m-%d %H:%M:%S",  # of any year; this one isn't said
    "exact": "%H:%M:%S.%f",
    "date": "%Y-%m-%d",
    "day": "%m-%d",
}
TINTS = 6


@register.filter
def moment(at: datetime, shape: str = "time") -> SafeString:
    """A `<time>` in UTC, which the browser puts into the reader's zone; until then, and without JavaScript, in the server's
    idea of that zone."""
    local = timezone.localtime(at)
    text = local.strftime(SHAPES[shape])
    if shape == "long" and local.year != timezone.localtime().year:
        text = f"{local.year:04}-{text}"
    if shape == "exact":
        text = text[:-3]  # milliseconds
    return format_html(
        '<time datetime="{}" data-shape="{}" title="{}">{}</time>',
        at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        shape,
        f"{local:%Y-%m-%d %H:%M:%S} {zone_of(at)}",
        text,
    )


@register.filter
def lately(at: datetime) -> SafeString:
    """`10:15`, `yesterday 18:20` or `11-20 18:20`: a moment of the last days."""
    days = (timezone.localdate() - timezone.localdate(at)).days
    day = {0: "", 1: gettext("yesterday")}.get(days, moment(at, "day"))
    return format_html("{} {}", day, moment(at, "minute")) if day else moment(at, "minute")


@register.filter
def age(at: datetime) -> SafeString:
    """How long ago a moment is, in a `<time>` that the browser keeps current."""
    return _aging(at, roughly(timezone.now() - at))


@register.filter
def ago(at: datetime) -> SafeString:
    """The same for what is drawn again and again and sent where it differs: the browser alone says how long ago it is."""
    return _aging(at, f"{timezone.localtime(at):%m-%d %H:%M}")


def _aging(at: datetime, text: str) -> SafeString:
    return format_html(
        '<time datetime="{}" data-ago title="{}">{}</time>',
        at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
        f"{timezone.localtime(at):%Y-%m-%d %H:%M:%S} {zone_of(at)}",
        text,
    )


@register.filter
def roughly(length: timedelta) -> str:
    """`just now`, `22 min`, `5 h` or, from two days on, `2 d`."""
    minutes = length // timedelta(minutes=1)
    if minutes < 1:
        return gettext("just now")
    if minutes < 60:
        return gettext("{n} min").replace("{n}", str(minutes))
    if minutes < 48 * 60:
        return gettext("{n} h").replace("{n}", str(minutes // 60))
    return gettext("{n} d").replace("{n}", str(minutes // (24 * 60)))


@register.filter
def zone_of(at: datetime) -> str:
    """`UTC+8`, as it is in the active zone at that moment."""
    minutes = int((timezone.localtime(at).utcoffset() or timedelta()).total_seconds()) // 60
    hours, rest = divmod(abs(minutes), 60)
    return f"UTC{'-' if minutes < 0 else '+'}{hours}" + (f":{rest:02}" if rest else "")


@register.simple_tag
@cache
def icon(name: str) -> SafeString:
    """A picture from icons.svg. Cached, since each card has several."""
    return render_to_string("_icon.html", {"name": name})


@register.filter
def epoch_ms(at: datetime) -> str:
    return str(round(at.timestamp() * 1000))


@register.filter
def seconds(length: timedelta | None) -> str:
    """`6.2`; empty for None."""
    return "" if length is None else f"{length.total_seconds():.1f}"


@register.filter
def thousands(number: int) -> str:
    """`1,284`: as both languages write it."""
    return f"{number:,}"


@register.filter
def shortly(length: timedelta) -> str:
    """`38 ms`, or from a second on `6.2 s`."""
    if length < timedelta(seconds=1):
        return gettext("%(ms)s ms") % {"ms": round(length.total_seconds() * 1000)}
    return gettext("%(seconds)s s") % {"seconds": seconds(length)}


@register.filter
def lasting(length: timedelta) -> str:
    """`1:07`: as cards say it."""
    minutes, rest = divmod(int(length.total_seconds()), 60)
    return f"{minutes}:{rest:02}"


@register.filter
def initial(name: object) -> str:
    """The first letter or sign of a name."""
    return next((sign for sign in str(name) if sign.isalnum()), "?").upper()


@register.filter
def tint(pk: int) -> int:
    """One of the stylesheet's tints; the same for the same contact."""
    return pk % TINTS


@lru_cache(1000)
def _nth(number: int, language: str) -> str:
    """`3rd`. Cached, since Django has it put together anew from all that it might be."""
    return str(ordinal(number))


@register.filter
def called_before(call: Call) -> str:
    """What is known of a contact's earlier calls: `3rd call in 24 h, last missed 13:40`."""
    if call.last_received_at is None or call.last_outcome is None:
        return gettext("First call")
    if call.earlier_in_a_day:
        times = gettext("%(nth)s call in 24 h") % {"nth": _nth(call.earlier_in_a_day + 1, get_language())}
        at = moment(call.last_received_at, "minute")
    else:
        times = ngettext("called once before", "called %(earlier)s times before", call.earlier) % {"earlier": call.earlier}
        at = moment(call.last_received_at, "day")
    may_ring = call.last_outcome not in {Call.Outcome.REJECTED, Call.Outcome.RULE, Call.Outcome.ENDED}
    if may_ring and call.last_received_at + (call.rings_until - call.received_at) > call.as_of:  # as long as this one
        return format_html(gettext("{times}, last {at}"), times=times, at=at)
    outcome = Call.Outcome(call.last_outcome).label
    return format_html(gettext("{times}, last {outcome} {at}"), times=times, outcome=outcome, at=at)


@register.filter
def in_words(attempt: Attempt) -> str:
    """What came of a request to the vendor, and what to do next, for people."""
    match attempt.result:
        case Attempt.Result.ACCEPTED:
            return gettext("Accepted by the vendor.")
        case Attempt.Result.REFUSED:
            explanation = errors.explain(attempt.errcode)
            return gettext("Not rejected: the vendor refused, %(reason)s (%(code)s). %(advice)s") % {
                "reason": explanation.text,
                "code": attempt.errcode,
                "advice": explanation.advice,
            }
        case Attempt.Result.NOT_SENT:
            return gettext("Not rejected: the vendor could not be reached. Try again.")
        case Attempt.Result.UNCONFIRMED:
            return gettext("Unconfirmed: the request was sent, but the vendor gave no clear answer. It may be rejected.")
        case _:
            return gettext("Unconfirmed: no answer is on record. It may be rejected.")


@register.filter
def said(attempt: Attempt) -> str:
    """The vendor's own words, as they came; where it gave no answer, why not."""
    unanswered = attempt.result in {Attempt.Result.NOT_SENT, Attempt.Result.UNCONFIRMED}
    return errors.failure(attempt.message) if unanswered else attempt.message


@register.filter
def why(reason: str) -> str:
    """Why a callback could not be read, for people."""
    return reasons.in_words(reason)


@register.filter
def worth_retrying(attempt: Attempt | None) -> bool:
    """Whether another click may succeed with nothing changed."""
    if attempt is None or attempt.result == Attempt.Result.ACCEPTED:
        return False
    return attempt.result != Attempt.Result.REFUSED or errors.worth_retrying(attempt.errcode)


@register.filter
def outcome_tone(outcome: str) -> str:
    """The stylesheet's tone for an outcome."""
    return {"rejected": "good", "rule": "info", "unconfirmed": "warn", "missed": "warn", "refused": "bad"}.get(
        outcome, "quiet"
    )


@register.filter
def result_tone(result: str) -> str:
    """The stylesheet's tone for what became of a callback."""
    return {"read": "good", "replayed": "info", "not_stored": "bad"}.get(result, "warn")
