"""Finding calls: among the newest first, then through the index, and one after the other where the index finds too many.

What many calls have is soon met among the newest, and what few have is soon found by the index. Each of them alone would at
times take seconds.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from functools import cached_property, reduce
from operator import or_
from typing import TypeAlias

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from ..models import Call
from ..models.call import CallQuerySet
from . import postgresql, sqlite
from .sources import ACCOUNTS, CALLS, INDEXED, PEOPLE, Source

index = postgresql if connection.vendor == "postgresql" else sqlite

NEWEST = 2_000  # calls that are looked at before the index is asked
FEW = 10_000  # of one source, that are looked up one by one
FEW_LISTS = 40  # accounts and people, each with a list of calls of its own

_Place: TypeAlias = tuple[datetime, int]  # received_at and id


def matching(calls: CallQuerySet, text: str) -> CallQuerySet:
    """Of these calls those with this text in the contact's nickname or wxid, the account's name or wxid, the call id, the
    name of who rejected it, what the vendor said, or a note. Upper and lower case are the same."""
    return calls.filter(_Search(text).condition)


def newest(calls: CallQuerySet, text: str, count: int) -> list[int]:
    """The ids of the newest so many of these calls that match, newest first."""
    calls = calls.select_related(None).prefetch_related(None).order_by("-received_at", "-id")
    search = _Search(text)
    found = _among(calls[:NEWEST], search.plain_condition)
    rest = _after(calls, NEWEST) if len(found) < count else None
    if rest is not None:
        found += search.newest(rest, count) if search.finds_few else _one_by_one(rest, search.condition, count - len(found))
    return [pk for _, pk in found[:count]]


class _Search:
    """What there is to find out about a text, each as it is needed."""

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def plain_condition(self) -> Q:
        """What a call that matches has, without a look into the index."""
        return reduce(or_, map(self._plain, INDEXED), self._lists)

    @cached_property
    def condition(self) -> Q:
        """The same, as quick as it gets for all calls."""
        slow = [self._plain(source) for source, calls in self._calls.items() if calls is None]
        return reduce(or_, slow, Q(pk__in=index.ids(self._few_calls)) | self._lists)

    @property
    def finds_few(self) -> bool:
        few_lists = len(self._accounts) + len(self._people) <= FEW_LISTS
        return few_lists and None not in self._calls.values()

    def newest(self, calls: CallQuerySet, count: int) -> list[_Place]:
        """Places of the newest of these calls, where few are found: of each list as many, which its index has in order."""
        lists = [calls.filter(pk__in=index.ids(self._few_calls))]
        lists += [calls.filter(account=account) for account in self._accounts]
        lists += [calls.filter(claimed_by=person) for person in self._people]
        return _newest_first({place for each in lists for place in each.values_list("received_at", "pk")[:count]})

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
        rows = index.candidates(source, self._text, FEW)
        if rows is None:
            return None
        found = source.containing(self._text).filter(**{"pk__in": index.ids(rows), f"{source.call}__isnull": False})
        calls = list(found.values_list(source.call, flat=True)[: FEW + 1])
        return calls if len(calls) <= FEW else None

    def _plain(self, source: Source) -> Q:
        if source is CALLS:
            return source.contains(self._text)
        # As a range of one: told of equal ids, PostgreSQL goes through the whole table first, whatever few calls are asked.
        ids = {f"{source.key}__gte": OuterRef(source.of_call), f"{source.key}__lte": OuterRef(source.of_call)}
        return Q(Exists(source.containing(self._text).filter(**ids)))


def _one_by_one(calls: CallQuerySet, condition: Q, count: int) -> list[_Place]:
    """Places of the newest of these calls for which the condition holds, by looking at ever more of them."""
    found: list[_Place] = []
    rest: CallQuerySet | None = calls
    size = NEWEST
    while rest is not None and len(found) < count:
        size *= 4
        found += _among(rest[:size], condition)
        rest = _after(rest, size)
    return found


def _among(calls: CallQuerySet, condition: Q) -> list[_Place]:
    """The database looks at no other calls, since it is told no order in which to look for the first ones."""
    found = Call.objects.filter(condition, pk__in=calls.values("pk")).order_by()
    return _newest_first(found.values_list("received_at", "pk"))


def _after(calls: CallQuerySet, count: int) -> CallQuerySet | None:
    """What follows the first so many; None: nothing."""
    last = calls.values_list("received_at", "pk")[count - 1 : count]
    return next((calls.before(*place) for place in last), None)


def _newest_first(places: Iterable[_Place]) -> list[_Place]:
    return sorted(places, reverse=True)
