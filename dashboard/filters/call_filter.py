"""The calls that fit the filters of an address."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from functools import reduce
from itertools import islice
from operator import or_
from typing import Any
from urllib.parse import urlencode

import django_filters as filters
from django import forms
from django.core.validators import MaxLengthValidator, MaxValueValidator, MinValueValidator, ProhibitNullCharactersValidator
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from calls import search
from calls.days import span
from calls.models import Account, Call, Contact, FollowUp, Person, Team
from calls.models.call import CallQuerySet
from calls.models.person import Sight

from .form import CallForm, DateInput, Period, WholeNumberFilter, capitalised

WITHOUT_TEAM = "none"
PARTS_AT_ONCE = 8
MOST_COUNTED = 10_000  # calls; of more it is said that there are more

Place = tuple[datetime, int]  # of a call in the list: when it was received, and its id


class CallFilter(filters.FilterSet):
    """Days are the reader's, and both ends are inclusive."""

    q = filters.CharFilter(
        label=_("Search"),
        method="_untouched",
        validators=[MaxLengthValidator(search.LONGEST), ProhibitNullCharactersValidator()],
        widget=forms.TextInput(attrs={"type": "search", "placeholder": _("Name, wxid, call id, reason, note…")}),
    )
    period = filters.ChoiceFilter(
        label=_("Period"), choices=capitalised(Period), empty_label=_("Any time"), method="_untouched"
    )
    outcome = filters.ChoiceFilter(
        label=_("Outcome"), choices=capitalised(Call.Outcome), empty_label=_("Any outcome"), method="_with_outcome"
    )
    kind = filters.ChoiceFilter(label=_("Kind"), choices=capitalised(Call.Kind), empty_label=_("Voice and video"))
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
    unseen = filters.BooleanFilter(label=_("Nobody saw it"), method="_seen_by_nobody", widget=forms.CheckboxInput())
    follow_up = filters.ChoiceFilter(
        label=_("Follow-up"),
        choices=capitalised(FollowUp.State),
        empty_label=_("With or without follow-up"),
        method="_led_to",
    )
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
        self._sight = sight
        accounts, teams, people = Account.objects.all(), Team.objects.all(), Person.objects.all()
        contacts = Contact.objects.all()
        if not sight.all:
            accounts = accounts.filter(team__in=sight.teams)
            teams = teams.filter(pk__in=sight.teams)
            # Whoever may handle the calls of these teams.
            people = people.filter(Q(teams__in=sight.teams) | Q(all_accounts=True) | ~Q(role=Person.Role.AGENT)).distinct()
            contacts = contacts.filter(Exists(Call.objects.seen_by(sight).filter(contact=OuterRef("pk"))))
        self.filters["account"].queryset = accounts
        self.filters["team"].queryset = teams
        self.filters["team"].extra["null_label"] = _("No team") if sight.all else None
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

    @property
    def asked(self) -> dict[str, str]:
        """What is asked for, as it stands in the address, in the order of the filters: nothing empty, nothing unknown."""
        asked = {name: value for name in self.filters if (value := self.data.get(name, "").strip())}
        if not self.form["unseen"].data:  # unseen=false
            asked.pop("unseen", None)
        if asked.keys() & {"from", "to"}:
            asked.pop("period", None)
        return asked

    @property
    def query(self) -> str:
        """What is asked for, as an address has it after the question mark."""
        return urlencode(self.asked)

    def newest(self, number: int, before: Place | None = None) -> list[Call]:
        """So many of the calls that fit, newest first; of those that follow this place in that order. None fit a filter that
        makes no sense: it never silently finds everything."""
        # Ids first: they are found by the indexes alone.
        found: list[int] = []
        for calls in self._in_parts(before):
            found += self._newest_ids(calls, number - len(found))
            if len(found) == number:
                break
        return list(Call.objects.filter(pk__in=found).for_history())

    def count(self, most: int) -> int | None:
        """How many calls fit; one more than `most` says that there are more, since counting ends there.

        None where a text was searched for that so many calls have, or so few in so many, that it would take too long.
        """
        counted = 0
        for calls in self._in_parts():
            number = self._count(calls, most + 1 - counted)
            if number is None:
                return None
            counted += number
            if counted > most:
                break
        return counted

    def count_since(self, pk: int, most: int) -> int:
        """How many calls fit that came after the one with this id; one more than `most` for more than that."""
        new = Call.objects.filter(pk__gt=pk)
        came = new.aggregate(number=Count("pk"), earliest=Min("received_at"))
        if not came["number"] or not self.is_valid():
            return 0
        # The moment follows from the id, and all indexes can find it.
        fitting: CallQuerySet = self.qs.filter(pk__gt=pk, received_at__gte=came["earliest"])
        return fitting[: most + 1].count()

    def filter_queryset(self, queryset: QuerySet[Call]) -> QuerySet[Call]:
        found = self._besides_text(queryset)
        return search.matching(found, self._text) if self._text else found

    def _newest_ids(self, calls: CallQuerySet, number: int) -> list[int]:
        if self._text:
            return search.newest(calls, self._text, number)
        places = calls.order_by("-received_at", "-id").values_list("received_at", "pk")
        return [pk for _received_at, pk in places[:number]]

    def _count(self, calls: CallQuerySet, most: int) -> int | None:
        return search.count(calls, self._text, most) if self._text else calls.order_by()[:most].count()

    @property
    def _text(self) -> str:
        return str(self.form.cleaned_data["q"])

    def _besides_text(self, queryset: QuerySet[Call]) -> CallQuerySet:
        found = self._besides_text_and_days(queryset)
        if self.form.parts is None:
            return found.filter(self._when())
        either = (Q(received_at__gte=begin, received_at__lt=end) for begin, end in self.form.parts)
        return found.filter(reduce(or_, either, Q(pk=None)))

    def _besides_text_and_days(self, queryset: QuerySet[Call]) -> CallQuerySet:
        found: CallQuerySet = super().filter_queryset(queryset)
        team = self.form.cleaned_data["team"]
        if self._sight.all and not team:
            return found
        # By their ids: only of these can a database tell whether their calls are many or few, and begin at the right end.
        accounts: QuerySet[Account] = self.filters["account"].queryset
        if team:
            accounts = accounts.filter(team=None if team == WITHOUT_TEAM else team)
        return found.filter(account__in=list(accounts.values_list("pk", flat=True)))

    def _in_parts(self, before: Place | None = None) -> Iterator[CallQuerySet]:
        """All that fit but for the text, newest part first. In hundreds of parts at once, each call would be compared with
        each part."""
        if not self.is_valid():
            return
        if self.form.parts is None:
            calls = self._besides_text(self.queryset)
            yield calls.before(*before) if before else calls
            return
        parts = self._parts(before)
        if self._text:  # which each part is searched for by itself
            yield from parts
        # Otherwise asking would take longer than finding.
        while some := list(islice(parts, PARTS_AT_ONCE)):
            first, *others = (part.order_by().values("received_at", "pk") for part in some)
            together: Any = first.union(*others, all=True) if others else first
            yield together

    def _parts(self, before: Place | None) -> Iterator[CallQuerySet]:
        calls = self._besides_text_and_days(self.queryset)
        for begin, end in reversed(self.form.parts or []):
            part = calls.filter(received_at__gte=begin, received_at__lt=end)
            if before is None or end <= before[0]:
                yield part
            elif begin <= before[0]:
                yield part.before(*before)

    def _untouched(self, calls: QuerySet[Call], name: str, value: Any) -> QuerySet[Call]:
        """For the days, which are looked at all together, and the text, which is searched for in ways of its own."""
        return calls

    def _with_outcome(self, calls: CallQuerySet, name: str, outcome: str) -> CallQuerySet:
        narrowed = not self._sight.all or self.asked.keys() & {"account", "team", "agent", "contact"}
        return calls.with_outcome(outcome, timezone.now(), narrowed=bool(narrowed))

    def _seen_by_nobody(self, calls: CallQuerySet, name: str, only: bool) -> CallQuerySet:
        if not only:
            return calls
        # All accounts: the index of these calls has the account first.
        return calls.seen_by_nobody(timezone.now()).filter(account__in=Account.objects.values("pk"))

    def _led_to(self, calls: CallQuerySet, name: str, state: str) -> CallQuerySet:
        return calls.filter(FollowUp.objects.all().in_state(state).their_calls())

    def _when(self) -> Q:
        first, last = self.form.days
        begin, end = span(first or date.min, last or date.max, timezone.get_current_timezone())
        when = Q()
        if first is not None:
            when &= Q(received_at__gte=begin)
        if last is not None and last != date.max:
            when &= Q(received_at__lt=end)
        return when
