"""When calls come: more in office hours than over lunch or at night, few on weekends and holidays, more as time goes by."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from random import Random

from calls.vendor.notices import BEIJING

HOUR = timedelta(hours=1)

# How many calls come in each hour of a working day, beside each other
BY_HOUR = [2, 1, 1, 1, 1, 2, 4, 12, 40, 88, 100, 90, 38, 62, 94, 98, 90, 74, 48, 40, 36, 28, 14, 6]
BY_WEEKDAY = [1.15, 1.05, 1.0, 1.0, 0.95, 0.45, 0.35]  # from Monday
HOLIDAYS = {(1, 1), *((5, day) for day in range(1, 6)), *((10, day) for day in range(1, 8))}  # month and day
ON_A_HOLIDAY = 0.15
AT_FIRST = 0.6  # of what comes at the end of the history
OFFICE_HOURS = range(8, 21)


@dataclass(frozen=True)
class Hour:
    """The moments of calls that came within an hour, in order."""

    moments: list[datetime]
    in_office_hours: bool


def hours(calls: int, begin: datetime, end: datetime, rng: Random) -> Iterator[Hour]:
    """So many calls between two moments, an hour after the other."""
    first = begin.replace(minute=0, second=0, microsecond=0)  # hours as clocks have them
    starts = [max(begin, first + HOUR * number) for number in range(-((first - end) // HOUR))]
    ends = [*starts[1:], end]
    whims: dict[date, float] = {}  # no day is quite like another
    weights = []
    for start, its_end in zip(starts, ends, strict=True):
        share = (its_end - start) / HOUR
        whim = whims.setdefault(start.astimezone(BEIJING).date(), rng.uniform(0.85, 1.15))
        weights.append(_usual(start) * (AT_FIRST + (1 - AT_FIRST) * (start - begin) / (end - begin)) * whim * share)
    each, expected, came = calls / sum(weights), 0.0, 0
    for start, its_end, weight in zip(starts, ends, weights, strict=True):
        expected += weight * each
        number = calls - came if start is starts[-1] else round(expected) - came
        came += number
        seconds = (its_end - start).total_seconds()
        moments = [start + timedelta(seconds=later) for later in sorted(rng.random() * seconds for _ in range(number))]
        yield Hour(moments, start.astimezone(BEIJING).hour in OFFICE_HOURS)


def _usual(start: datetime) -> float:
    local = start.astimezone(BEIJING)
    day = ON_A_HOLIDAY if (local.month, local.day) in HOLIDAYS else BY_WEEKDAY[local.weekday()]
    return BY_HOUR[local.hour] * day
