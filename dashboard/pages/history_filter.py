"""The filters of history, as they stand in its address."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import django_filters as filters
from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls.models import Account, Call, Person, Team


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def _from_day(calls: QuerySet[Call], name: str, day: date) -> QuerySet[Call]:
    return calls.filter(received_at__gte=_midnight(day))


def _to_day(calls: QuerySet[Call], name: str, day: date) -> QuerySet[Call]:
    return calls if day == date.max else calls.filter(received_at__lt=_midnight(day + timedelta(days=1)))


def _midnight(day: date) -> datetime:
    try:
        return timezone.make_aware(datetime.combine(day, time.min)).astimezone(UTC)
    except OverflowError:  # at either end of the calendar a day has no midnight in every zone
        return (datetime.min if day.year == date.min.year else datetime.max).replace(tzinfo=UTC)


class CallFilter(filters.FilterSet):
    """Days are the reader's, and both ends are inclusive."""

    outcome = filters.ChoiceFilter(label=_("Outcome"), choices=Call.Outcome, empty_label=_("Any outcome"))
    kind = filters.ChoiceFilter(label=_("Kind"), choices=Call.Kind, empty_label=_("Voice and video"))
    account = filters.ModelChoiceFilter(label=_("Account"), queryset=Account.objects.none(), empty_label=_("Any account"))
    team = filters.ModelChoiceFilter(
        label=_("Team"), field_name="account__team", queryset=Team.objects.none(), empty_label=_("Any team")
    )
    agent = filters.ModelChoiceFilter(
        label=_("Person"),
        field_name="claimed_by",
        queryset=Person.objects.all(),
        to_field_name="username",
        empty_label=_("Anyone"),
    )

    def __init__(self, data: Any, queryset: QuerySet[Call], person: Person) -> None:
        super().__init__(data, queryset)
        accounts = Account.objects.all()
        teams = Team.objects.all()
        if not person.sight.all:
            accounts = accounts.filter(team__in=person.sight.teams)
            teams = teams.filter(pk__in=person.sight.teams)
        self.filters["account"].queryset = accounts
        self.filters["team"].queryset = teams

    @classmethod
    def get_filters(cls) -> dict[str, filters.Filter]:
        """With `from` and `to`, the first of which can't be the name of an attribute in Python."""
        days = {
            "from": filters.DateFilter(label=_("From"), method=_from_day, widget=DateInput()),
            "to": filters.DateFilter(label=_("To"), method=_to_day, widget=DateInput()),
        }
        declared: dict[str, filters.Filter] = super().get_filters()
        return days | declared
