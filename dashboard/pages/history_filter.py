"""The filters of history and reports, as they stand in an address."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import reduce
from operator import or_
from typing import Any

import django_filters as filters
from django import forms
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator, ProhibitNullCharactersValidator
from django.db import models
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from calls import days, search
from calls.models import Account, Call, Contact, Person, Team
from calls.models.call import CallQuerySet
from calls.models.person import Sight

MOST_DAYS = 366  # of which the same hours can be looked at
WITHOUT_TEAM = "none"


class Period(models.TextChoices):
    """Days that move with the calendar, so that a saved search stays what it says."""

    TODAY = "today", _("today")
    YESTERDAY = "yesterday", _("yesterday")
    WEEK = "7d", _("last 7 days")
    MONTH = "30d", _("last 30 days")

    @property
    def days(self) -> tuple[date, date]:
        """Its first and its last day, as the reader counts them now."""
        today = timezone.localdate()
        back = {self.TODAY: 0, self.YESTERDAY: 1, self.WEEK: 6, self.MONTH: 29}[self]
        return today - timedelta(days=back), today - timedelta(days=self == self.YESTERDAY)


class DateInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def _capitalised(choices: type[models.Choices]) -> Callable[[], list[tuple[Any, str]]]:
    """Called for each form, since the labels depend on the language."""
    return lambda: [(value, capfirst(str(label))) for value, label in choices.choices]


def _with_outcome(calls: CallQuerySet, name: str, outcome: str) -> CallQuerySet:
    # Of a call that is not over, the column says what would be if nothing more happened.
    return calls.over(timezone.now()).filter(outcome=outcome)


def _seen_by_nobody(calls: CallQuerySet, name: str, only: bool) -> CallQuerySet:
    return calls.seen_by_nobody(timezone.now()) if only else calls


def _matching(calls: CallQuerySet, name: str, text: str) -> CallQuerySet:
    return search.matching(calls, text)


class WholeNumberFilter(filters.NumberFilter):
    field_class = forms.IntegerField


class CallForm(forms.Form):
    """`days`, once it is valid: the first and the last day of what is looked for, each None where there is no such end."""

    days: tuple[date | None, date | None]

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if self.errors:
            return cleaned
        self.days = first, last = self._days(cleaned)
        in_parts = cleaned["weekday"] or cleaned["hour"] is not None
        if in_parts and (first is None or last is None or (last - first).days >= MOST_DAYS):
            raise forms.ValidationError(
                _("A weekday or an hour needs a period of at most %(days)s days.") % {"days": MOST_DAYS}
            )
        return cleaned

    @staticmethod
    def _days(cleaned: dict[str, Any]) -> tuple[date | None, date | None]:
        # Dates that are given win over a period.
        if cleaned["from"] or cleaned["to"] or not cleaned["period"]:
            return cleaned["from"], cleaned["to"]
        return Period(cleaned["period"]).days


class CallFilter(filters.FilterSet):
    """Days are the reader's, and both ends are inclusive."""

    q = filters.CharFilter(
        label=_("Search"),
        method=_matching,
        validators=[MaxLengthValidator(search.LONGEST), ProhibitNullCharactersValidator()],
        widget=forms.TextInput(attrs={"type": "search"}),
    )
    period = filters.ChoiceFilter(
        label=_("Period"), choices=_capitalised(Period), empty_label=_("Any time"), method="_untouched"
    )
    outcome = filters.ChoiceFilter(
        label=_("Outcome"), choices=_capitalised(Call.Outcome), empty_label=_("Any outcome"), method=_with_outcome
    )
    kind = filters.ChoiceFilter(label=_("Kind"), choices=_capitalised(Call.Kind), empty_label=_("Voice and video"))
    account = filters.ModelChoiceFilter(label=_("Account"), queryset=Account.objects.none(), empty_label=_("Any account"))
    team = filters.ModelChoiceFilter(
        label=_("Team"),
        field_name="account__team",
        queryset=Team.objects.none(),
        empty_label=_("Any team"),
        null_label=_("No team"),
        null_value=WITHOUT_TEAM,
    )
    agent = filters.ModelChoiceFilter(
        label=_("Person"),
        field_name="claimed_by",
        queryset=Person.objects.none(),
        to_field_name="username",
        empty_label=_("Anyone"),
    )
    contact = filters.ModelChoiceFilter(label=_("Contact"), queryset=Contact.objects.none(), widget=forms.HiddenInput())
    unseen = filters.BooleanFilter(label=_("Nobody saw it"), method=_seen_by_nobody, widget=forms.CheckboxInput())
    weekday = WholeNumberFilter(
        label=_("Weekday"),
        method="_untouched",
        validators=[MinValueValidator(1), MaxValueValidator(7)],
        widget=forms.HiddenInput(),
    )
    hour = WholeNumberFilter(
        label=_("Hour"),
        method="_untouched",
        validators=[MinValueValidator(0), MaxValueValidator(23)],
        widget=forms.HiddenInput(),
    )

    class Meta:
        form = CallForm

    def __init__(self, data: Any, queryset: QuerySet[Call], sight: Sight) -> None:
        super().__init__(data, queryset)
        accounts, teams, people = Account.objects.all(), Team.objects.all(), Person.objects.all()
        contacts = Contact.objects.all()
        if not sight.all:
            accounts = accounts.filter(team__in=sight.teams)
            teams = teams.filter(pk__in=sight.teams)
            # Whoever may handle the calls of these teams.
            people = people.filter(Q(teams__in=sight.teams) | Q(all_accounts=True) | ~Q(role=Person.Role.AGENT)).distinct()
            contacts = contacts.filter(calls__account__team__in=sight.teams).distinct()
        self.filters["account"].queryset = accounts
        self.filters["team"].queryset = teams
        self.filters["team"].null_label = _("No team") if sight.all else None
        self.filters["agent"].queryset = people
        self.filters["contact"].queryset = contacts

    @classmethod
    def get_filters(cls) -> dict[str, filters.Filter]:
        """With `from` and `to`, the first of which can't be the name of an attribute in Python."""
        ends = {
            "from": filters.DateFilter(label=_("From"), method="_untouched", widget=DateInput()),
            "to": filters.DateFilter(label=_("To"), method="_untouched", widget=DateInput()),
        }
        declared: dict[str, filters.Filter] = super().get_filters()
        return ends | declared

    def filter_queryset(self, queryset: QuerySet[Call]) -> QuerySet[Call]:
        found: QuerySet[Call] = super().filter_queryset(queryset)
        return found.filter(self._when())

    def _untouched(self, calls: QuerySet[Call], name: str, value: Any) -> QuerySet[Call]:
        """For what `_when` looks at all together."""
        return calls

    def _when(self) -> Q:
        asked, zone = self.form.cleaned_data, timezone.get_current_timezone()
        first, last = self.form.days
        begin, end = days.span(first or date.min, last or date.max, zone)
        when = Q()
        if first is not None:
            when &= Q(received_at__gte=begin)
        if last is not None and last != date.max:
            when &= Q(received_at__lt=end)
        if asked["weekday"] or asked["hour"] is not None:
            parts = days.spans(first, last, zone, asked["weekday"], asked["hour"])
            when &= reduce(or_, (Q(received_at__gte=begin, received_at__lt=end) for begin, end in parts), Q(pk=None))
        return when
