"""Silence: has nothing come for longer than is normal at this time of such a day? Pure functions over slots of traffic.

The vendor pushes once. If its pushes stop, or don't reach us, nothing ever says so except that nothing comes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from .models.traffic import slot_of

DAYS_COMPARED = 28  # how far back
FEWEST_DAYS = 5  # with traffic, of the same kind; of fewer nothing is learnt
QUIET_IN = 20  # a window is never quiet where it was on at most one of so many days
SHORTEST = 3  # slots; one slot or two are empty by chance now and then
LONGEST = timedelta(days=1)  # how much of a long silence is compared


@dataclass(frozen=True)
class Silence:
    """Nothing came since a moment, though on other days of this kind something came within this window of the day."""

    since: datetime  # UTC
    begins: datetime  # the window, in the zone that days are counted in
    ends: datetime
    weekend: bool  # whether it was compared with Saturdays and Sundays, not with Monday to Friday
    days: int  # compared
    busy: int  # of these, days on which something came


def silence(
    slots: Collection[datetime],
    length: timedelta,
    now: datetime,
    zone: ZoneInfo,
    open_days: Collection[date] | None = None,
) -> Silence | None:
    """None where it is no longer than normal, or where too little is known to tell.

    slots: the beginnings (UTC) of the stretches of this length in which something came. zone: by whose clock days go.
    open_days: those to compare with, from the first on that is known; else those on which something came.
    """
    if not slots:
        return None
    since, until = max(slots) + length, slot_of(now, length)
    if until - since < SHORTEST * length:
        return None
    by_day: dict[date, list[datetime]] = defaultdict(list)
    for slot in slots:
        at = _on_the_clock(slot, zone)
        by_day[at.date()].append(at)
    known = by_day.keys() if open_days is None else {day for day in open_days if day >= min(by_day)}
    for begins, ends in _day_by_day(_on_the_clock(max(since, until - LONGEST), zone), _on_the_clock(until, zone)):
        days = [day for day in _days_like(begins.date()) if day in known]
        busy = sum(_came_between(by_day.get(day, ()), begins, ends, day) for day in days)
        if len(days) >= FEWEST_DAYS and (len(days) - busy) * QUIET_IN <= len(days):
            window = begins.replace(tzinfo=zone), ends.replace(tzinfo=zone)
            return Silence(since, *window, weekend=_is_weekend(begins.date()), days=len(days), busy=busy)
    return None


def _on_the_clock(at: datetime, zone: ZoneInfo) -> datetime:
    """What a clock on the wall shows: days are compared by it, also where one has 23 hours."""
    return at.astimezone(zone).replace(tzinfo=None)


def _day_by_day(begins: datetime, ends: datetime) -> Iterator[tuple[datetime, datetime]]:
    """The part of a window that lies in each day, since one day may be of another kind than the next."""
    while begins < ends:
        midnight = datetime.combine(begins.date() + timedelta(days=1), time.min)
        yield begins, min(midnight, ends)
        begins = midnight


def _days_like(day: date) -> list[date]:
    """The days before this one, as far as they count, that are of its kind."""
    before = (day - timedelta(days=back) for back in range(1, DAYS_COMPARED + 1))
    return [other for other in before if _is_weekend(other) == _is_weekend(day)]


def _is_weekend(day: date) -> bool:
    return day.weekday() >= 5


def _came_between(came: Collection[datetime], begins: datetime, ends: datetime, day: date) -> bool:
    """Whether something came on a day, between the times of another day's window."""
    back = begins.date() - day
    return any(begins - back <= at < ends - back for at in came)
