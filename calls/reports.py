"""What a report says of some days' calls: from what was counted beforehand where that holds, counted afresh elsewhere."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from functools import cached_property
from itertools import chain
from statistics import median_low
from typing import Any, TypeVar

from django.db.models import Count, Exists, ExpressionWrapper, F, Field, Model, OuterRef, Q, Sum

from . import tallies
from .days import Span, span
from .models import AccountCount, DelayCount, DelayTotal, FollowUp, HourCount, PersonCount, RolledDay
from .models.call import CallQuerySet

Key = TypeVar("Key")
# Of tens of thousands of rows, making dates and booleans of what a database holds takes longer than reading them.
AS_STORED: Field = Field()
MOST_DAYS_OF_CALLERS = 31  # contacts are too many to be counted beforehand


@dataclass
class Tally:
    """Calls: all, those of each outcome, and those that nobody saw. Calls that still ring are of no outcome."""

    calls: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    unseen: int = 0

    def add(self, state: str, unseen: bool, number: int) -> None:
        self.calls += number
        if state:
            self.outcomes[state] += number
        if unseen:
            self.unseen += number


@dataclass(frozen=True)
class Delay:
    """How long something took: percentiles by nearest rank, in milliseconds of two significant digits."""

    calls: int  # that it rests on
    p50: int | None
    p90: int | None
    p99: int | None


@dataclass(frozen=True)
class FollowedUp:
    """Calls that led to a follow-up."""

    calls: int
    open: int
    done: int
    half_within: timedelta | None  # of those that are done, from when they were added; None: there are none


@dataclass(frozen=True)
class Broad:
    """Filters that the counted days know as well."""

    teams: frozenset[int | None] | None = None  # None: all; with None in it: also accounts without a team
    kind: int | None = None
    outcome: str = ""
    unseen: bool = False

    @property
    def is_everything(self) -> bool:
        return self == Broad()

    @property
    def of_teams(self) -> Q:
        if self.teams is None:
            return Q()
        named = Q(team__in=[team for team in self.teams if team is not None])
        return named | Q(team=None) if None in self.teams else named

    @property
    def of_kind_and_outcome(self) -> Q:
        asked = {"kind": self.kind, "outcome": self.outcome}
        return Q(**{name: value for name, value in asked.items() if value})


@dataclass(frozen=True)
class Asked:
    """What a report is about."""

    filtered: CallQuerySet  # of any days
    first: date
    last: date
    zone: tzinfo
    now: datetime
    broad: Broad | None  # None: a filter that the counted days don't know

    @property
    def length(self) -> int:
        """Days."""
        return (self.last - self.first).days + 1

    @cached_property
    def span(self) -> Span:
        return span(self.first, self.last, self.zone)

    @cached_property
    def counted(self) -> list[date]:
        """The whole days (UTC) in it whose counts hold, in order."""
        if self.broad is None:
            return []
        begin, end = self.span
        held = RolledDay.objects.filter(counted_at__isnull=False, day__range=(begin.date(), end.date())).order_by("day")
        whole = ((day, span(day, day, UTC)) for day in held.values_list("day", flat=True))
        return [day for day, (start, stop) in whole if begin <= start and stop <= end]

    @cached_property
    def calls(self) -> CallQuerySet:
        begin, end = self.span
        return self.filtered.filter(received_at__gte=begin, received_at__lt=end)

    @cached_property
    def afresh(self) -> list[CallQuerySet]:
        """The calls that the counted days leave. By themselves, since a database would look through all between them."""
        if not self.counted:
            return [self.calls]
        begin, end = self.span
        edges = [begin, *(edge for day in self.counted for edge in span(day, day, UTC)), end]
        gaps = ((start, stop) for start, stop in zip(edges[::2], edges[1::2], strict=True) if start < stop)
        return [self.filtered.filter(received_at__gte=start, received_at__lt=stop) for start, stop in gaps]

    def grouped(self, *by: str) -> Iterator[tuple[Any, ...]]:
        """What is counted afresh: rows of `tallies.grouped`."""
        return chain.from_iterable(tallies.grouped(calls, self.now, *by).iterator() for calls in self.afresh)

    def beforehand(self, table: type[Model], *by: str, also: Q | None = None) -> Iterator[tuple[Any, ...]]:
        """What was counted, by the values of these columns, with the number of calls at the end.

        By the day as well, where only the sum of all days is wanted, it may come in the order of an index: nothing has to
        be sorted.
        """
        if not self.counted or self.broad is None:
            return iter(())
        first, last = self.counted[0], self.counted[-1]
        known = set(self.counted)
        between = (first + timedelta(days=number) for number in range((last - first).days))
        rows = table._default_manager.filter(
            self.broad.of_teams, self.broad.of_kind_and_outcome, also or Q(), day__range=(first, last)
        )
        if missing := [day for day in between if day not in known]:
            rows = rows.exclude(day__in=missing)
        columns = {f"raw_{name}": ExpressionWrapper(F(name), AS_STORED) for name in by}
        counts: Iterator[tuple[Any, ...]] = (
            rows.annotate(**columns).values_list(*columns).annotate(number=Sum("calls")).iterator()
        )
        return counts

    def counts(self, table: type[Model], *by: str) -> Iterator[tuple[Any, ...]]:
        """The same from a table that tells calls that nobody saw from others: state and unseen stand before the number."""
        unseen = Q(unseen=True) if self.broad and self.broad.unseen else Q()
        return self.beforehand(table, *by, "outcome", "unseen", also=unseen)


def total(asked: Asked) -> Tally:
    tally = Tally()
    for _day, *count in asked.counts(HourCount, "day"):
        tally.add(*count)
    for state, unseen, number in asked.grouped():
        tally.add(state, unseen, number)
    return tally


def by_hour(asked: Asked, bucket: Callable[[date, int], Key]) -> dict[Key, Tally]:
    """Calls by what `bucket` makes of the day and the hour (0 to 23) of the reader's clock at which they came."""
    found: dict[Key, Tally] = defaultdict(Tally)
    for length, rows in _slots(asked):
        buckets: dict[int, Key] = {}
        for slot, state, unseen, number in rows:
            if slot not in buckets:
                at = datetime.fromtimestamp(slot * length, asked.zone)
                buckets[slot] = bucket(at.date(), at.hour)
            found[buckets[slot]].add(state, unseen, number)
    return found


def by_account_and_person(asked: Asked) -> tuple[dict[int, Tally], dict[int, Tally]]:
    """Calls by the account that was called, and by who rejected them or tried to last."""
    accounts: dict[int, Tally] = defaultdict(Tally)
    people: dict[int, Tally] = defaultdict(Tally)
    for account, *count in asked.counts(AccountCount, "account"):
        accounts[account].add(*count)
    if asked.broad is None or not asked.broad.unseen:  # nobody had to do with what nobody saw
        for person, outcome, number in asked.beforehand(PersonCount, "person", "outcome"):
            people[person].add(outcome, False, number)
    for account, person, *count in asked.grouped("account", "claimed_by"):
        accounts[account].add(*count)
        if person is not None:
            people[person].add(*count)
    return accounts, people


def delay(asked: Asked, until: int) -> Delay:
    """How long it took until something happened: one of `DelayCount.Until`."""
    counts: Counter[int] = Counter()
    afresh = asked.afresh
    if asked.broad is not None and asked.broad.unseen:  # which the counts of delays don't tell
        afresh = [asked.calls]
    else:
        table = DelayTotal if asked.broad and asked.broad.is_everything else DelayCount
        for _day, milliseconds, number in asked.beforehand(table, "day", "milliseconds", also=Q(until=until)):
            counts[milliseconds] += number
    for calls in afresh:
        for (_state, milliseconds), number in tallies.delays(calls, asked.now, until).items():
            counts[milliseconds] += number
    known = sorted(counts.items())
    p50, p90, p99 = (tallies.nearest_rank(known, percent) for percent in (50, 90, 99))
    return Delay(counts.total(), p50, p90, p99)


def follow_ups(asked: Asked) -> FollowedUp:
    """Of those of a call that is on the list again, the open one counts."""
    # From the few follow-ups to their calls, since most calls have none.
    begin, _end = asked.span
    those = FollowUp.objects.filter(Exists(asked.calls.filter(pk=OuterRef("call"))), added_at__gte=begin).order_by("id")
    took: dict[int, timedelta | None] = {}  # None: open
    for call, added_at, done_at in those.values_list("call", "added_at", "done_at").iterator():
        if done_at is None or took.get(call, timedelta()) is not None:
            took[call] = done_at - added_at if done_at else None
    done = [length for length in took.values() if length is not None]
    return FollowedUp(len(took), len(took) - len(done), len(done), median_low(done) if done else None)


def repeat_callers(asked: Asked, most: int) -> list[tuple[int, Tally]]:
    """Contacts who called more than once, those with most calls first: ids, with their calls."""
    several = asked.calls.order_by().values_list("contact").annotate(number=Count("pk")).filter(number__gt=1)
    found: dict[int, Tally] = {contact: Tally() for contact, _number in several.order_by("-number", "contact")[:most]}
    for contact, *count in tallies.grouped(asked.calls.filter(contact__in=found), asked.now, "contact"):
        found[contact].add(*count)
    return list(found.items())


def _slots(asked: Asked) -> Iterator[tuple[int, Any]]:
    """Counts by slot of time, as (the slots' length in seconds, rows). Counted days know hours of UTC, which are no hours
    of a zone that is half an hour off."""
    days = (asked.first + timedelta(days=number) for number in range(asked.length))
    ends = (datetime.combine(day, clock, asked.zone) for day in days for clock in (time.min, time.max))
    if any((end.utcoffset() or timedelta()) % timedelta(hours=1) for end in ends):
        yield tallies.QUARTER, tallies.grouped(asked.calls, asked.now, "slot", slot=tallies.QUARTER).iterator()
    else:
        yield tallies.HOUR, (row[1:] for row in asked.counts(HourCount, "day", "hour"))
        yield tallies.HOUR, asked.grouped("slot")
