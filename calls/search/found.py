"""Finding calls: among the newest first, then through the index, and one after the other where the index finds too many.

What many calls have is soon met among the newest, and what few have is soon found by the index. Each of them alone would at
times take seconds.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property, reduce
from operator import or_

from django.db import connection
from django.db.models import BooleanField, ExpressionWrapper, OuterRef, Q, Subquery
from django.db.models.lookups import IsNull

from ..among import among
from ..models.call import CallQuerySet
from . import postgresql, sqlite
from .sources import ACCOUNTS, CALLS, INDEXED, PEOPLE, Source

index = postgresql if connection.vendor == "postgresql" else sqlite

NEWEST = 2_000  # calls that are looked at before the index is asked
PATIENCE = 16_000  # calls that are looked at in a row before the index is asked for more than few
FEW, MANY = 15_000, 100_000  # calls of one source that are looked up one by one, at first and then
FEW_LISTS = 40  # accounts and people, each with a list of calls of its own


def matching(calls: CallQuerySet, text: str) -> CallQuerySet:
    """Of these calls those with this text in the contact's remark, nickname or wxid, the account's name or wxid, the
    call id, the name of who rejected it, what the vendor said, or a note. Upper and lower case are the same."""
    return _Search(text, FEW).matching(calls)


def newest(calls: CallQuerySet, text: str, count: int) -> list[int]:
    """The ids of the newest so many of these calls that match, newest first."""
    calls = calls.select_related(None).prefetch_related(None).order_by("-received_at", "-id")
    search, size = _Search(text, FEW), NEWEST
    found, rest = _look_at(calls, size, search.plain_condition)
    while rest is not None and len(found) < count:
        if search.finds_few:
            found += search.newest(rest, count - len(found))
            break
        size *= 2
        more, rest = _look_at(rest, size, search.condition)
        found += more
        if size == PATIENCE:
            search = _Search(text, MANY)
    return found[:count]


def count(calls: CallQuerySet, text: str, most: int) -> int | None:
    """How many of these calls match; `most` where there are as many or more.

    Returns: None where it would take too long to say.
    """
    search = _Search(text, FEW)
    if search.finds_few:  # in any order, so that none of them has to be sorted
        return search.matching(calls.order_by())[:most].count()
    found, rest = _look_at(calls.order_by("-received_at", "-id"), NEWEST, search.condition)
    return None if rest is not None else min(len(found), most)


class _Search:
    """What there is to find out about a text, each as it is needed. `few`: calls that count as few."""

    def __init__(self, text: str, few: int) -> None:
        self._text = text
        self._few = few

    @cached_property
    def plain_condition(self) -> Q:
        """What a call that matches has, without a look into the index."""
        return reduce(or_, map(self._plain, INDEXED), self._lists)

    @cached_property
    def condition(self) -> Q:
        """The same, as quick as it gets for all calls."""
        slow = [self._plain(source) for source, calls in self._calls.items() if calls is None]
        return reduce(or_, slow, among(self._few_calls) | self._lists)

    def matching(self, calls: CallQuerySet) -> CallQuerySet:
        few_calls = not (self._accounts or self._people) and None not in self._calls.values()
        return index.within(calls, self.condition) if few_calls else calls.filter(self.condition)

    @property
    def finds_few(self) -> bool:
        """Few calls, and few lists of calls."""
        few_lists = len(self._accounts) + len(self._people) <= FEW_LISTS
        return few_lists and None not in self._calls.values()

    def newest(self, calls: CallQuerySet, count: int) -> list[int]:
        """The newest of these calls, where few are found: of each list as many, which its index has in order."""
        lists = [Q(account=account) for account in self._accounts] + [Q(claimed_by=person) for person in self._people]
        if self._few_calls:
            lists.append(among(self._few_calls))
        places: set[tuple[datetime, int]] = set()
        for each in lists:
            in_order = index.within(calls, each).order_by("-received_at", "-id")
            places.update(in_order.values_list("received_at", "pk")[:count])
        return [pk for _, pk in sorted(places, reverse=True)]

    @cached_property
    def _accounts(self) -> list[int]:
        return list(ACCOUNTS.containing(self._text).values_list("pk", flat=True))

    @cached_property
    def _people(self) -> list[int]:
        return list(PEOPLE.containing(self._text).values_list("pk", flat=True))

    @property
    def _lists(self) -> Q:
        return Q(account__in=self._accounts) | Q(claimed_by__in=self._people)

    @cached_property
    def _calls(self) -> dict[Source, list[int] | None]:
        """The calls found in each source; None where they are more than few."""
        return {source: self._look_up(source) for source in INDEXED}

    @cached_property
    def _few_calls(self) -> set[int]:
        return {pk for calls in self._calls.values() for pk in calls or ()}

    def _look_up(self, source: Source) -> list[int] | None:
        rows = index.candidates(source, self._text, self._few)
        if rows is None:
            return None
        found = source.containing(self._text).filter(among(rows), **{f"{source.call}__isnull": False})
        calls = list(found.values_list(source.call, flat=True)[: self._few + 1])
        return calls if len(calls) <= self._few else None

    def _plain(self, source: Source) -> Q:
        if source is CALLS:
            return source.contains(self._text)
        # One value, and not EXISTS, for which PostgreSQL may go through the whole table, however few calls are asked about.
        row = source.containing(self._text).filter(**{source.key: OuterRef(source.of_call)}).values("pk")[:1]
        return Q(IsNull(Subquery(row), False))


def _look_at(calls: CallQuerySet, count: int, condition: Q) -> tuple[list[int], CallQuerySet | None]:
    """Which of the first so many calls meet the condition, and the calls after them; None where there are no more."""
    meets = ExpressionWrapper(condition, BooleanField())
    rows = list(calls.annotate(meets=meets).values_list("received_at", "pk", "meets")[:count])
    found = [pk for _, pk, meets in rows if meets]
    return found, calls.before(*rows[-1][:2]) if len(rows) == count else None
