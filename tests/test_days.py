from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from calls import days

pytestmark = pytest.mark.engineless

ZONES = [
    "Asia/Shanghai",
    "America/New_York",
    "Europe/Berlin",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",  # its summer is half an hour
    "America/Havana",  # its summer ends at midnight, and the hour before comes again
    "America/Santiago",  # its summer begins at midnight, which there is none of
    "Pacific/Apia",
]
NEW_YORK = ZoneInfo("America/New_York")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def on_the_clock(at: datetime, zone: ZoneInfo) -> tuple[date, int, int]:
    local = at.astimezone(zone)
    return local.date(), local.isoweekday(), local.hour


@given(
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    first=st.dates(date(2024, 1, 1), date(2026, 12, 1)),
    length=st.integers(0, 20),
    weekday=st.none() | st.integers(1, 7),
    hour=st.none() | st.integers(0, 23),
    minutes=st.integers(-2 * 24 * 60, 24 * 24 * 60),
)
def test_a_moment_is_in_the_spans_exactly_if_a_clock_in_the_zone_shows_it(
    zone: ZoneInfo, first: date, length: int, weekday: int | None, hour: int | None, minutes: int
) -> None:
    last = first + timedelta(days=length)
    moment = datetime.combine(first, datetime.min.time(), UTC) + timedelta(minutes=minutes)
    day, its_weekday, its_hour = on_the_clock(moment, zone)
    wanted = first <= day <= last and weekday in {None, its_weekday} and hour in {None, its_hour}
    inside = [begin <= moment < end for begin, end in days.spans(first, last, zone, weekday, hour)]
    assert sum(inside) == wanted


def test_a_day_on_which_summer_begins_has_23_hours() -> None:
    begin, end = days.span(date(2026, 3, 8), date(2026, 3, 8), NEW_YORK)
    assert (begin, end - begin) == (utc("2026-03-08T05:00"), timedelta(hours=23))


def test_an_hour_that_comes_twice_lasts_two() -> None:
    night = date(2026, 11, 1)
    assert list(days.spans(night, night, NEW_YORK, None, 1)) == [(utc("2026-11-01T05:00"), utc("2026-11-01T07:00"))]


def test_an_hour_that_the_clock_leaps_over_is_left_out() -> None:
    night = date(2026, 3, 8)
    assert list(days.spans(night, night, NEW_YORK, None, 2)) == []


@pytest.mark.parametrize("zone", ZONES)
def test_the_calendar_has_a_first_and_a_last_day_in_every_zone(zone: str) -> None:
    begin, end = days.span(date.min, date.max, ZoneInfo(zone))
    assert begin < utc("2026-01-01") < end
