"""The form that an address is read with: its days above all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import django_filters as filters
from django import forms
from django.db import models
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from calls.days import Span, spans

HOUR = timedelta(hours=1)
MOST_DAYS = 366  # of which the same hours can be looked at


class Period(models.TextChoices):
    """Days that move with the calendar, so that a saved search stays what it says. The last hour is a part of such days."""

    HOUR = "1h", _("last hour")
    TODAY = "today", _("today")
    YESTERDAY = "yesterday", _("yesterday")
    WEEK = "7d", _("last 7 days")
    MONTH = "30d", _("last 30 days")

    @property
    def days(self) -> tuple[date, date]:
        """Its first and its last day, as the reader counts them now."""
        today = timezone.localdate()
        if self == self.HOUR:
            return timezone.localdate(timezone.now() - HOUR), today
        back = {self.TODAY: 0, self.YESTERDAY: 1, self.WEEK: 6, self.MONTH: 29}[self]
        return today - timedelta(days=back), today - timedelta(days=self == self.YESTERDAY)


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def capitalised(choices: type[models.Choices]) -> Callable[[], list[tuple[Any, str]]]:
    """Called for each form, since the labels depend on the language."""
    return lambda: [(value, capfirst(str(label))) for value, label in choices.choices]


class WholeNumberFilter(filters.NumberFilter):
    field_class = forms.IntegerField


class CallForm(forms.Form):
    """Once it is valid: `days` are the first and the last day of what is looked for, each None where there is no such end;
    `parts` are the parts of these days, oldest first, where only a weekday or an hour of them is looked for."""

    days: tuple[date | None, date | None]
    parts: list[Span] | None = None

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        self.days = first, last = self._days(cleaned)
        weekday, hour = cleaned["weekday"], cleaned["hour"]
        if weekday or hour is not None:
            if first is None or last is None or (last - first).days >= MOST_DAYS:
                raise forms.ValidationError(
                    _("A weekday or an hour needs a period of at most %(days)s days.") % {"days": MOST_DAYS}
                )
            self.parts = list(spans(first, last, timezone.get_current_timezone(), weekday, hour))
        elif cleaned["period"] == Period.HOUR and not (cleaned["from"] or cleaned["to"]):
            self.parts = [(timezone.now() - HOUR, timezone.now())]
        return cleaned

    @staticmethod
    def _days(cleaned: dict[str, Any]) -> tuple[date | None, date | None]:
        # Dates that are given win over a period.
        if cleaned["from"] or cleaned["to"] or not cleaned["period"]:
            return cleaned["from"], cleaned["to"]
        return Period(cleaned["period"]).days
