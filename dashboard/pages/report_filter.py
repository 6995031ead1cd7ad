"""What a report is about: the filters of history, over days that a report can cover, and how it is laid out."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _

from calls.models import Call
from calls.models.call import CallQuerySet
from calls.models.person import Sight
from calls.reports import Asked, Broad

from ..filters.call_filter import WITHOUT_TEAM, CallFilter
from ..filters.form import MOST_DAYS, Period

USUAL_DAYS = 28
DATES = ("from", "to")
NARROW = ("q", "account", "agent", "contact", "follow_up", "weekday", "hour")  # what the counted days know nothing of


class LayoutForm(forms.Form):
    by = forms.ChoiceField(
        label=_("Calls by"),
        choices=[("", _("Suits the period")), ("hour", _("Hour")), ("day", _("Day")), ("week", _("Week"))],
        required=False,
    )
    compare = forms.ChoiceField(
        label=_("Compare"),
        choices=[("", _("With the period before")), ("none", _("With nothing"))],
        required=False,
    )


class ReportFilter:
    """The filters in an address, checked.

    `form` and `layout` are what stands in it; `errors` say what makes no sense, and then there is nothing to report.
    """

    # The others are set by links alone, and stay until all filters are cleared.
    shown = ("period", "from", "to", "team", "account", "agent", "kind", "outcome")

    def __init__(self, query: QueryDict, sight: Sight) -> None:
        self.sight = sight
        self.query = query
        self._filter = CallFilter(query, Call.objects.seen_by(sight), sight)
        self.form = self._filter.form
        period = self.form.fields["period"]
        whole_days = [(value, label) for value, label in period.choices if value not in {"", Period.HOUR}]
        period.choices = [("", _("Last %(days)s days") % {"days": USUAL_DAYS}), *whole_days]
        self.layout = LayoutForm(query)

    @cached_property
    def errors(self) -> list[str]:
        forms_errors = [
            f"{form[name].label}: {error}" if name in form.fields else str(error)  # the others are of a form as a whole
            for form in (self.form, self.layout)
            for name, errors in form.errors.items()
            for error in errors
        ]
        return forms_errors or self._errors_of_days()

    @cached_property
    def days(self) -> tuple[date, date]:
        """The first and the last day. One that is not given follows from the other."""
        first, last = self.form.days
        if last is None:
            last = max(timezone.localdate(), first or date.min)
        return first or _back(last, USUAL_DAYS - 1), last

    @cached_property
    def filter(self) -> CallFilter:
        """The same filters, with its days by their dates."""
        return self._of(*self.days)

    @cached_property
    def asked(self) -> Asked:
        return asked_of(self.filter, self.sight)

    @cached_property
    def before(self) -> Asked | None:
        """The days before, as many; None where they are not to be compared with."""
        first, last = self.days
        length = last - first + timedelta(days=1)
        if self.layout.cleaned_data["compare"] or first - date.min < length:
            return None
        return asked_of(self._of(first - length, last - length), self.sight)

    @cached_property
    def unit(self) -> str:
        """Of what the bars of a chart are: hour, day or week."""
        chosen = str(self.layout.cleaned_data["by"])
        fitting = [unit for unit, most in (("hour", 7), ("day", 100), ("week", MOST_DAYS)) if self.asked.length <= most]
        if chosen == "day" or chosen in fitting:
            return chosen
        return "hour" if self.asked.length <= 2 else fitting[0] if fitting[0] != "hour" else "day"

    @property
    def is_narrowed(self) -> bool:
        return any(self.query.get(name) for name in (*self._filter.filters, *self.layout.fields))

    def _of(self, first: date, last: date) -> CallFilter:
        data = self.query.copy()
        data.pop("period", None)
        data["from"], data["to"] = first.isoformat(), last.isoformat()
        found = CallFilter(data, Call.objects.seen_by(self.sight), self.sight)
        found.is_valid()
        return found

    def _errors_of_days(self) -> list[str]:
        first, last = self.days
        if last < first:
            return [str(_("The first day is after the last one. Change one of them."))]
        if (last - first).days >= MOST_DAYS:
            return [
                str(_("A report covers at most %(days)s days. Choose days that are closer together.") % {"days": MOST_DAYS})
            ]
        return []


def asked_of(filtered: CallFilter, sight: Sight) -> Asked:
    """What a report of a valid filter with both dates is about."""
    first, last = filtered.form.days
    asked: dict[str, Any] = filtered.form.cleaned_data
    narrow = any(asked[name] not in {None, ""} for name in NARROW)
    return Asked(
        filtered=filtered.qs if narrow else _of_any_day(filtered, sight),
        first=first,
        last=last,
        zone=timezone.get_current_timezone(),
        now=timezone.now(),
        broad=None if narrow else _broad(asked, sight),
    )


def _of_any_day(filtered: CallFilter, sight: Sight) -> CallQuerySet:
    data = {name: value for name, value in filtered.asked.items() if name not in DATES}
    found: CallQuerySet = CallFilter(data, Call.objects.seen_by(sight), sight).qs
    return found


def _broad(asked: dict[str, Any], sight: Sight) -> Broad:
    team = asked["team"]
    teams: frozenset[int | None] | None = None
    if team:
        teams = frozenset({None if team == WITHOUT_TEAM else team.pk})
    if not sight.all:
        teams = sight.teams if teams is None else teams & sight.teams
    return Broad(
        teams=teams,
        kind=int(asked["kind"]) if asked["kind"] else None,
        outcome=asked["outcome"],
        unseen=bool(asked["unseen"]),
    )


def _back(day: date, days: int) -> date:
    return day - timedelta(days=min(days, (day - date.min).days))
