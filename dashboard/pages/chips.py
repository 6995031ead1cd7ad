"""What is searched for, in words: a chip for each part of an address, which leads to the same without it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext

from .history_filter import WITHOUT_TEAM, CallFilter

# A weekday or an hour makes no sense without days.
DAYS, OF_DAYS = {"period", "from", "to"}, {"weekday", "hour"}


@dataclass(frozen=True)
class Chip:
    label: str
    value: str  # empty where the label says it all
    without: str  # the query that is left


def chips(filtered: CallFilter) -> list[Chip]:
    """In the order of the filters. What makes no sense is shown as it came."""
    return [_chip(filtered, name) for name in filtered.asked]


def _chip(filtered: CallFilter, name: str) -> Chip:
    gone = {name} | (OF_DAYS if name in DAYS else set())
    left = {other: value for other, value in filtered.asked.items() if other not in gone}
    field = filtered.form[name]
    return Chip(str(field.label), _in_words(filtered, name), urlencode(left))


def _in_words(filtered: CallFilter, name: str) -> str:
    given = filtered.asked[name]
    value: Any = getattr(filtered.form, "cleaned_data", {}).get(name)
    match name:
        case _ if value is None:
            return given
        case "unseen":
            return ""
        case "weekday":
            return str(WEEKDAYS[value - 1])
        case "hour":
            return f"{value}:00–{value + 1}:00"
        case "period" | "outcome" | "kind":
            return next(str(label) for key, label in filtered.form.fields[name].choices if str(key) == given)
        case "team" if value == WITHOUT_TEAM:
            return gettext("No team")
    return str(value)
