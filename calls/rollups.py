"""Counting days beforehand: one at a time, again where a call of them changed, and proof that the counts are right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import models, transaction
from django.utils import timezone

from . import tallies
from .days import span
from .models import AccountCount, Call, DelayCount, DelayTotal, HourCount, PersonCount, RolledDay
from .models.rollup import COUNTED_AFTER

Rows = Counter[tuple[Any, ...]]  # how many calls, by the values of a row's other columns

TABLES: dict[type[models.Model], tuple[str, ...]] = {
    HourCount: ("hour", "team", "kind", "outcome", "unseen"),
    AccountCount: ("account", "team", "kind", "outcome", "unseen"),
    PersonCount: ("person", "team", "kind", "outcome"),
    DelayCount: ("team", "kind", "outcome", "until", "milliseconds"),
    DelayTotal: ("until", "milliseconds"),
}
AT_ONCE = 5_000  # rows of one statement


def count_next() -> bool:
    """Count the newest day that has to be, in a short transaction.

    Returns: whether there may be more to do at once. Raises: django.db.Error where the database can't take it.
    """
    day = next(_uncounted(), None)
    if day is not None:
        count(day)
    return day is not None


def rebuild() -> int:
    """Count all days anew that can be. Returns: how many. Raises: as above."""
    RolledDay.objects.recount(_all_days())
    days = list(_uncounted())
    for day in days:
        while not count(day):
            pass
    return len(days)


def first_wrong() -> tuple[date, str] | None:
    """The first counted day, and the name of its table, that a fresh count does not agree with; None where all do.

    A day that changes meanwhile is not looked at: it is going to be counted anew.
    """
    for day, change in RolledDay.objects.filter(counted_at__isnull=False).order_by("day").values_list("day", "change"):
        stored = {table: _stored(table, day) for table in TABLES}
        fresh = _fresh(day)
        if RolledDay.objects.filter(day=day, change=change, counted_at__isnull=False).exists():
            for table in TABLES:
                if stored[table] != fresh[table]:
                    return day, table.__name__
    return None


def count(day: date) -> bool:
    """Count a day that is over. Nobody is kept waiting by the counting itself, only while the rows are replaced.

    Returns: whether it is counted now; not where one of its calls changed meanwhile. Raises: as above.
    """
    RolledDay.objects.bulk_create([RolledDay(day=day)], ignore_conflicts=True)
    change = RolledDay.objects.values_list("change", flat=True).get(day=day)
    fresh = _fresh(day)
    with transaction.atomic():
        # Whoever changes a call of this day meanwhile draws another number, and holds this row until that is committed.
        if not RolledDay.objects.filter(day=day, change=change).update(counted_at=timezone.now()):
            return False
        for table, counts in fresh.items():
            table._default_manager.filter(day=day).delete()
            columns = TABLES[table]
            table._default_manager.bulk_create(
                (table(day=day, calls=calls, **dict(zip(columns, values, strict=True))) for values, calls in counts.items()),
                AT_ONCE,
            )
    return True


def _fresh(day: date) -> dict[type[models.Model], Rows]:
    now = timezone.now()
    begin, end = span(day, day, UTC)
    calls = Call.objects.filter(received_at__gte=begin, received_at__lt=end)
    handled = calls.filter(claimed_by__isnull=False)
    delays: Rows = Counter()
    totals: Rows = Counter()
    for until in DelayCount.Until.values:
        for (*of_what, milliseconds), number in tallies.delays(calls, now, until, "team", "kind").items():
            delays[(*of_what, until, milliseconds)] = number
            totals[until, milliseconds] += number
    return {
        HourCount: _counter(tallies.grouped(calls, now, "slot", "team", "kind")),
        AccountCount: _counter(tallies.grouped(calls, now, "account", "team", "kind")),
        PersonCount: _counter(
            (*rest, number) for *rest, _unseen, number in tallies.grouped(handled, now, "claimed_by", "team", "kind")
        ),
        DelayCount: delays,
        DelayTotal: totals,
    }


def _counter(rows: Any) -> Rows:
    return Counter({tuple(values): number for *values, number in rows})


def _stored(table: type[models.Model], day: date) -> Rows:
    return _counter(table._default_manager.filter(day=day).values_list(*TABLES[table], "calls"))


def _uncounted() -> Iterator[date]:
    """Days that can be counted and are not, the newest first: reports mostly look at the last weeks."""
    counted = set(RolledDay.objects.filter(counted_at__isnull=False).values_list("day", flat=True))
    return (day for day in sorted(_all_days(), reverse=True) if day not in counted)


def _all_days() -> set[date]:
    """Every day that can be counted: those since the first call, and those that were counted before theirs were deleted."""
    last = (timezone.now() - COUNTED_AFTER).astimezone(UTC).date() - timedelta(days=1)
    days = set(RolledDay.objects.filter(day__lte=last).values_list("day", flat=True))
    first: datetime | None = Call.objects.order_by("received_at").values_list("received_at", flat=True).first()
    if first is not None:
        begin = first.astimezone(UTC).date()
        days |= {begin + timedelta(days=number) for number in range((last - begin).days + 1)}
    return days
