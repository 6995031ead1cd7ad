"""The filters of history, as they stand in its address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import django_filters as filters
from django import forms
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from calls.models import Account, Call, Person, Team
from calls.models.call import CallQuerySet
from calls.models.person import Sight


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


def _with_outcome(calls: CallQuerySet, name: str, outcome: str) -> CallQuerySet:
    # Of a call that is not over, the column says what would be if nothing more happened.
    return calls.over(timezone.now()).filter(outcome=outcome)


def _capitalised(choices: type[models.Choices]) -> Callable[[], list[tuple[Any, str]]]:
    """Called for each form, since the labels depend on the language."""
    return lambda: [(value, capfirst(str(label))) for value, label in choices.choices]


class CallFilter(filters.FilterSet):
    """Days are the reader's, and both ends are inclusive."""

    outcome = filters.ChoiceFilter(
        label=_("Outcome"), choices=_capitalised(Call.Outcome), empty_label=_("Any outcome"), method=_with_outcome
    )
    kind = filters.ChoiceFilter(label=_("Kind"), choices=_capitalised(Call.Kind), empty_label=_("Voice and video"))
    account = filters.ModelChoiceFilter(label=_("Account"), queryset=Account.objects.none(), empty_label=_("Any account"))
    team = filters.ModelChoiceFilter(
        label=_("Team"), field_name="account__team", queryset=Team.objects.none(), empty_label=_("Any team")
    )
    agent = filters.ModelChoiceFilter(
        label=_("Person"),
        field_name="claimed_by",
        queryset=Person.objects.none(),
        to_field_name="username",
        empty_label=_("Anyone"),
    )

    def __init__(self, data: Any, queryset: QuerySet[Call], sight: Sight) -> None:
        super().__init__(data, queryset)
        accounts, teams, people = Account.objects.all(), Team.objects.all(), Person.objects.all()
        if not sight.all:
            accounts = accounts.filter(team__in=sight.teams)
            teams = teams.filter(pk__in=sight.teams)
            # Whoever may handle the calls of these teams.
            people = people.filter(Q(teams__in=sight.teams) | Q(all_accounts=True) | ~Q(role=Person.Role.AGENT)).distinct()
        self.filters["account"].queryset = accounts
        self.filters["team"].queryset = teams
        self.filters["agent"].queryset = people

    @classmethod
    def get_filters(cls) -> dict[str, filters.Filter]:
        """With `from` and `to`, the first of which can't be the name of an attribute in Python."""
        days = {
            "from": filters.DateFilter(label=_("From"), method=_from_day, widget=DateInput()),
            "to": filters.DateFilter(label=_("To"), method=_to_day, widget=DateInput()),
        }
        declared: dict[str, filters.Filter] = super().get_filters()
        return days | declared
