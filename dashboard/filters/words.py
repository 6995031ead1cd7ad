"""What is filtered by, in words: the same on chips, on the record of exports, and on paper."""

from __future__ import annotations

from typing import Any

from django.utils.dates import WEEKDAYS
from django.utils.translation import gettext

from .call_filter import WITHOUT_TEAM, CallFilter


def in_words(filtered: CallFilter, name: str) -> tuple[str, str]:
    """The label of one of the filters that are asked for, and its value: empty where the label says it all.

    What makes no sense, or may not be known to this reader, is said as it came.
    """
    filtered.is_valid()  # for what the form makes of the values
    return str(filtered.form[name].label), _value(filtered, name)


def _value(filtered: CallFilter, name: str) -> str:
    given = filtered.asked[name]
    value: Any = filtered.form.cleaned_data.get(name)
    match name:
        case _ if value is None:
            return given
        case "unseen":
            return ""
        case "weekday":
            return str(WEEKDAYS[value - 1])
        case "hour":
            return f"{value}:00–{value + 1}:00"
        case "period" | "outcome" | "kind" | "follow_up":
            return next(str(label) for key, label in filtered.form.fields[name].choices if str(key) == given)
        case "team" if value == WITHOUT_TEAM:
            return gettext("No team")
    return str(value)
