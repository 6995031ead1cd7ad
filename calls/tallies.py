"""Calls counted by what a report asks about, with one statement: the same for what is counted beforehand and afresh."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from functools import lru_cache
from typing import Any

from django.db.models import (
    BooleanField,
    Case,
    CharField,
    Count,
    F,
    Func,
    IntegerField,
    OuterRef,
    QuerySet,
    Subquery,
    Value,
    When,
)

from .models import Attempt, Call
from .models.call import CallQuerySet, is_over, was_seen_by_nobody
from .models.rollup import DelayCount

HOUR = 3600
QUARTER = 900  # seconds; the clocks of all zones stand whole quarters of an hour apart


class _Slot(Func):
    """Which hour, or quarter of an hour, since 1970 a moment lies in."""

    output_field = IntegerField()
    template = "(FLOOR(EXTRACT(EPOCH FROM %(expressions)s))::bigint / %(seconds)s)"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        template = "(CAST(strftime('%%%%s', %(expressions)s) AS INTEGER) / %(seconds)s)"
        return self.as_sql(compiler, connection, template=template, **context)


class _Microsecond(Func):
    """The microseconds of a moment since 1970, without the slow arithmetic of dates."""

    output_field = IntegerField()
    template = "(EXTRACT(EPOCH FROM %(expressions)s) * 1000000)::bigint"

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        # Stored as text, with six digits or none behind the second.
        template = "(strftime('%%%%s', %(expressions)s) * 1000000 + CAST(substr(%(expressions)s, 21) AS INTEGER))"
        return self.as_sql(compiler, connection, template=template, **context)


def grouped(calls: CallQuerySet, now: datetime, *by: str, slot: int = HOUR) -> QuerySet[Call, tuple[Any, ...]]:
    """How many calls there are for each value of these, each `state` and whether `unseen`.

    `by` names columns, or `team` or `slot` (of so many seconds since 1970). A call that is not over has no state, an empty
    text, though an outcome stands in its row; for any other it is the outcome.

    Returns: rows of the values in this order, state, unseen, and the number of calls.
    """
    columns: dict[str, Any] = {"team": F("account__team"), "slot": _Slot("received_at", seconds=slot)}
    named: QuerySet[Call, Any] = calls.order_by().annotate(
        **{name: columns[name] for name in by if name in columns},
        state=_state(now),
        nobody_saw=Case(When(was_seen_by_nobody(now), then=True), default=False, output_field=BooleanField()),
    )
    return named.values_list(*by, "state", "nobody_saw").annotate(number=Count("pk"))


Delay = tuple[Any, ...]


def delays(calls: CallQuerySet, now: datetime, until: int, *by: str) -> Counter[Delay]:
    """How many calls there are for each value of these (as above), each state, and each delay `until` something happened.

    Returns: by the values, state, and the rounded milliseconds.
    """
    timed: QuerySet[Call, Any] = calls.order_by().annotate(
        **({"team": F("account__team")} if "team" in by else {}),
        state=_state(now),
        received=_Microsecond("received_at"),
        happened=_Microsecond("shown_at") if until == DelayCount.Until.SHOWN else _accepted_at(),
    )
    counts: Counter[Delay] = Counter()
    for *values, received, happened in timed.values_list(*by, "state", "received", "happened").iterator():
        if happened is not None:
            counts[(*values, two_digits(max(happened - received, 0) // 1000))] += 1
    return counts


def _accepted_at() -> Subquery:
    """When the vendor accepted a call's last attempt, in microseconds; null where it didn't."""
    last_attempt = Attempt.objects.filter(call=OuterRef("pk")).order_by("-pk")
    at = Case(When(result=Attempt.Result.ACCEPTED, then=_Microsecond("answered_at")), output_field=IntegerField())
    return Subquery(last_attempt.values(at=at)[:1], output_field=IntegerField())


@lru_cache(maxsize=100_000)  # what is counted are thousands of times each
def two_digits(number: int) -> int:
    """Rounded to two significant digits, halves up."""
    unit = 1
    while number // unit >= 100:
        unit *= 10
    return (number + unit // 2) // unit * unit


def nearest_rank(counts: Iterable[tuple[int, int]], percent: int) -> int | None:
    """The smallest value that so many percent of all don't exceed. From values, ascending, with how often each occurs."""
    known = list(counts)
    rank = -(-sum(times for _value, times in known) * percent // 100)
    for value, times in known:
        rank -= times
        if rank <= 0:
            return value
    return None


def _state(now: datetime) -> Case:
    return Case(When(is_over(now), then=F("outcome")), default=Value(""), output_field=CharField())
