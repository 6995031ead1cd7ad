"""What a report says in words: its days and filters, lengths of time, and changes since the period before."""

from __future__ import annotations

from datetime import date

from django.utils.translation import gettext, ngettext

from calls.reports import Delay
from calls.templatetags.ringdesk import thousands

from ..filters.words import in_words
from .report_filter import DATES, ReportFilter


def filters_in_words(asked_for: ReportFilter) -> list[tuple[str, str]]:
    """For paper: which days in which zone, compared with which, and every filter that is set."""
    asked, before = asked_for.asked, asked_for.before
    said = [(gettext("Days"), days_in_words(asked.first, asked.last)), (gettext("Time zone"), str(asked.zone))]
    if before:
        said.append((gettext("Compared with"), days_in_words(before.first, before.last)))
    filters = (in_words(asked_for.filter, name) for name in asked_for.filter.asked if name not in DATES)
    return said + [(label, value or gettext("yes")) for label, value in filters]


def days_in_words(first: date, last: date) -> str:
    if first == last:
        return first.isoformat()
    return gettext("%(first)s to %(last)s") % {"first": first.isoformat(), "last": last.isoformat()}


def title_of(when: str, what: str, number: int) -> str:
    calls = ngettext("%(count)s call", "%(count)s calls", number) % {"count": thousands(number)}
    return f"{when} · {what}: {calls}" if what else f"{when}: {calls}"


def percentage(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "—"


def change_in_percent(now: int, before: int | None) -> str:
    if not before or now == before:
        return change_in_number(now, before)
    percent = 100 * (now - before) / before
    words = {"percent": f"{abs(percent):.1f}", "before": thousands(before)}
    if percent > 0:
        return gettext("%(percent)s%% more than before (%(before)s)") % words
    return gettext("%(percent)s%% fewer than before (%(before)s)") % words


def change_in_number(now: int, before: int | None) -> str:
    if before is None:
        return ""
    words = {"number": thousands(abs(now - before)), "before": thousands(before)}
    if now > before:
        return gettext("%(number)s more than before (%(before)s)") % words
    if now < before:
        return gettext("%(number)s fewer than before (%(before)s)") % words
    return gettext("as many as before")


def length_in_words(milliseconds: int | None) -> str:
    """`38 ms`, `6.2 s`, `12 s`: two significant digits."""
    if milliseconds is None:
        return "—"
    if milliseconds < 1000:
        return gettext("%(ms)s ms") % {"ms": milliseconds}
    digits = 1 if milliseconds < 10_000 else 0
    return gettext("%(seconds)s s") % {"seconds": f"{milliseconds / 1000:.{digits}f}"}


def change_in_speed(now: Delay, before: Delay | None, rank: str) -> str:
    length: int | None = getattr(now, rank)
    earlier: int | None = getattr(before, rank, None)
    if length is None or earlier is None:
        return ""
    if length == earlier:
        return gettext("as fast as before")
    words = {"length": length_in_words(abs(length - earlier)), "before": length_in_words(earlier)}
    if length < earlier:
        return gettext("%(length)s faster than before (%(before)s)") % words
    return gettext("%(length)s slower than before (%(before)s)") % words
