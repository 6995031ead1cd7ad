"""Days and hours as people count them: in a zone, where a day may have 23 hours, and an hour may come twice."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta, tzinfo

Span = tuple[datetime, datetime]  # UTC: from the first moment until before the last


def midnight(day: date, zone: tzinfo) -> datetime:
    """The first moment (UTC) of a day in a zone."""
    return at_hour(day, 0, zone)


def at_hour(day: date, hour: int, zone: tzinfo) -> datetime:
    """The first moment (UTC) of an hour of a day; 24 is the next day's midnight. Where the clock leaps over it, the leap."""
    try:
        local = datetime.combine(day, time.min) + timedelta(hours=hour)
        return local.replace(tzinfo=zone).astimezone(UTC)
    except OverflowError:  # at either end of the calendar a day has no midnight in every zone
        return (datetime.min if day.year == date.min.year else datetime.max).replace(tzinfo=UTC)


def span(first: date, last: date, zone: tzinfo) -> Span:
    """From the first of these days to the last, both of them included."""
    end = datetime.max.replace(tzinfo=UTC) if last == date.max else midnight(last + timedelta(days=1), zone)
    return midnight(first, zone), end


def spans(first: date, last: date, zone: tzinfo, weekday: int | None, hour: int | None) -> Iterator[Span]:
    """The parts of these days that are of a weekday (1: Monday, to 7), of an hour (0 to 23), or of both."""
    for number in range((last - first).days + 1):
        day = first + timedelta(days=number)
        if weekday in {None, day.isoweekday()}:
            hours = (0, 24) if hour is None else (hour, hour + 1)
            begin, end = (at_hour(day, each, zone) for each in hours)
            if begin < end:
                yield begin, end
