from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from calls.silence import DAYS_COMPARED, FEWEST_DAYS, QUIET_IN, SHORTEST, Silence, silence

pytestmark = pytest.mark.engineless

SHANGHAI = ZoneInfo("Asia/Shanghai")
LENGTH = timedelta(minutes=5)
TODAY = date(2026, 11, 20)  # a Friday
FIVE_MINUTES, HOUR, DAY = timedelta(minutes=5), timedelta(hours=1), timedelta(days=1)


def at(clock: str, day: date = TODAY, zone: ZoneInfo = SHANGHAI) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), zone).astimezone(UTC)


def days_before(count: int, day: date = TODAY, weekend: bool = False) -> list[date]:
    """So many days of one kind, the last first."""
    earlier = (day - timedelta(days=back) for back in range(1, 100))
    return [other for other in earlier if (other.weekday() >= 5) == weekend][:count]


def traffic(days: list[date], begins: str = "09:00", ends: str = "18:00", zone: ZoneInfo = SHANGHAI) -> set[datetime]:
    """Something in every slot of these hours."""
    slots = set()
    for day in days:
        slot = at(begins, day, zone)
        while slot < at(ends, day, zone):
            slots.add(slot)
            slot += LENGTH
    return slots


def judge(slots: set[datetime], now: datetime, zone: ZoneInfo = SHANGHAI) -> Silence | None:
    return silence(slots, LENGTH, now, zone)


NORMAL = traffic(days_before(10))
UNTIL_NOW = traffic([TODAY], ends="10:15")


def test_a_silence_longer_than_normal_says_since_when_and_with_what_it_was_compared() -> None:
    found = judge(NORMAL | UNTIL_NOW, at("11:42"))
    assert found == Silence(
        since=at("10:15"), begins=at("10:15"), ends=at("11:40"), weekend=False, days=10, busy=10
    )  # the last slot that is over ended at 11:40


def test_traffic_until_now_is_no_silence() -> None:
    assert judge(NORMAL | UNTIL_NOW, at("10:16")) is None


def test_one_quiet_slot_or_two_are_none() -> None:
    assert judge(NORMAL | UNTIL_NOW, at("10:29")) is None
    assert judge(NORMAL | UNTIL_NOW, at("10:30")) is not None


def test_who_never_had_anything_is_not_silent() -> None:
    assert judge(set(), at("11:42")) is None


@pytest.mark.parametrize(("days", "alarm"), [(FEWEST_DAYS - 1, False), (FEWEST_DAYS, True)])
def test_of_too_few_days_nothing_is_learnt(days: int, alarm: bool) -> None:
    assert (judge(traffic(days_before(days)) | UNTIL_NOW, at("11:42")) is not None) == alarm


def test_the_night_is_quiet_as_always() -> None:
    assert judge(NORMAL | traffic([TODAY]), at("23:58")) is None


def test_the_night_that_follows_is_no_better_explanation_than_the_evening() -> None:
    found = judge(NORMAL | UNTIL_NOW, at("04:00", TODAY + DAY))
    assert found
    assert (found.since, found.begins, found.ends) == (at("10:15"), at("10:15"), at("00:00", TODAY + DAY))


def test_a_quiet_weekend_is_compared_with_weekends_alone() -> None:
    saturday = TODAY + DAY
    assert judge(NORMAL | traffic([TODAY]), at("14:00", saturday)) is None
    weekends = traffic(days_before(6, saturday, weekend=True))
    found = judge(NORMAL | traffic([TODAY]) | weekends, at("14:00", saturday))
    assert found
    assert (found.weekend, found.days, found.since) == (True, 6, at("18:00"))


def test_a_monday_is_not_measured_by_what_came_before_the_weekend() -> None:
    monday = TODAY + 3 * DAY
    slots = NORMAL | traffic([TODAY])
    assert judge(slots, at("08:59", monday)) is None
    found = judge(slots, at("09:20", monday))
    assert found
    assert (found.since, found.begins) == (at("18:00"), at("00:00", monday))


@pytest.mark.parametrize(("quiet", "days", "alarm"), [(1, QUIET_IN, True), (1, QUIET_IN - 1, False), (2, QUIET_IN, False)])
def test_a_window_that_was_quiet_before_is_no_alarm_unless_that_is_rare(quiet: int, days: int, alarm: bool) -> None:
    earlier = days_before(days)
    slots = traffic(earlier[quiet:]) | traffic(earlier[:quiet], "14:00") | UNTIL_NOW
    found = judge(slots, at("11:42"))
    assert (found is not None) == alarm
    if found:
        assert (found.days, found.busy) == (days, days - quiet)


def test_of_open_days_one_with_nothing_at_all_was_quiet() -> None:
    slots = traffic(days_before(10)[:6]) | UNTIL_NOW
    assert silence(slots, LENGTH, at("11:42"), SHANGHAI, days_before(10)) is not None  # nothing was known before these six
    assert silence(slots | traffic(days_before(10)[9:]), LENGTH, at("11:42"), SHANGHAI, days_before(10)) is None


def test_days_with_nothing_at_all_do_not_count() -> None:
    slots = traffic(days_before(10)[3:]) | UNTIL_NOW
    found = judge(slots, at("11:42"))
    assert found
    assert (found.days, found.busy) == (7, 7)


def test_older_days_than_four_weeks_do_not_count() -> None:
    slots = traffic([day for day in days_before(40) if TODAY - day > DAYS_COMPARED * DAY]) | UNTIL_NOW
    assert judge(slots, at("11:42")) is None


def test_of_a_silence_of_days_the_last_24_hours_are_compared() -> None:
    slots = traffic(days_before(10)[3:]) - traffic([], "00:00")
    found = judge(slots, at("11:42"))
    assert found
    assert found.since == max(slots) + LENGTH
    assert (found.begins, found.ends) == (at("11:40", TODAY - DAY), at("00:00"))


@pytest.mark.parametrize("today", [date(2026, 3, 31), date(2026, 11, 3)])  # soon after the clocks were changed, each way
def test_days_are_compared_by_the_clock_on_the_wall(today: date) -> None:
    zone = ZoneInfo("America/Los_Angeles" if today.month == 11 else "Europe/Berlin")
    slots = traffic(days_before(10, today), "09:00", "10:00", zone) | traffic([today], "09:00", "09:05", zone)
    found = judge(slots, at("10:00", today, zone), zone)
    assert found
    assert (found.days, found.busy, found.begins) == (10, 10, at("09:05", today, zone))
    assert judge(slots - traffic([today], "09:00", "09:05", zone), at("09:00", today, zone), zone) is None


# Against a second implementation: slow, and written from the words alone


def slowly(
    slots: set[datetime], length: timedelta, now: datetime, zone: ZoneInfo, open_days: set[date] | None
) -> Silence | None:
    if not slots:
        return None
    over = now.replace(hour=0, minute=0, second=0, microsecond=0)
    while over + length <= now:
        over += length
    since = max(slot + length for slot in slots)
    if over < since + SHORTEST * length:
        return None
    first = max(since, over - DAY).astimezone(zone).replace(tzinfo=None)
    last = over.astimezone(zone).replace(tzinfo=None)
    for day in sorted({first.date(), last.date()}):
        lower = max(first, datetime.combine(day, time()))
        upper = min(last, datetime.combine(day, time()) + DAY)
        if lower >= upper:
            continue
        compared = busy = 0
        for back in range(1, DAYS_COMPARED + 1):
            other = day - back * DAY
            if (other.isoweekday() > 5) != (day.isoweekday() > 5):
                continue
            clocks = [slot.astimezone(zone).replace(tzinfo=None) for slot in slots]
            on_that_day = [clock for clock in clocks if clock.date() == other]
            began = other >= min(slots).astimezone(zone).date()
            if on_that_day if open_days is None else began and other in open_days:
                compared += 1
                busy += any(lower <= clock + back * DAY < upper for clock in on_that_day)
        if compared >= FEWEST_DAYS and compared - busy <= compared / QUIET_IN:
            window = lower.replace(tzinfo=zone), upper.replace(tzinfo=zone)
            return Silence(since, *window, weekend=day.isoweekday() > 5, days=compared, busy=busy)
    return None


zones = st.sampled_from(["Asia/Shanghai", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "UTC"]).map(ZoneInfo)
nows = st.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 31), timezones=st.just(UTC))


@st.composite
def histories(draw: st.DrawFn) -> tuple[set[datetime], timedelta, datetime]:
    """Slots of some hours of most days, with some left out, and a moment at which to judge."""
    length = draw(st.sampled_from([HOUR, FIVE_MINUTES * 6]))
    now = draw(nows)
    first, hours = draw(st.integers(0, 23)), draw(st.integers(1, 12))
    missing = draw(st.sets(st.integers(0, DAYS_COMPARED), max_size=8))
    midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
    slots = set()
    for back in range(DAYS_COMPARED + 2):
        if back not in missing:
            for number in range(int(hours * HOUR / length)):
                slots.add(midnight - back * DAY + first * HOUR + number * length)
    quiet_for = draw(st.integers(0, 60)) * HOUR
    return {slot for slot in slots if slot + quiet_for <= now}, length, now


@given(histories(), zones, st.none() | st.sets(st.integers(0, DAYS_COMPARED), max_size=10))
@example((set(), HOUR, datetime(2026, 3, 8, 12, tzinfo=UTC)), ZoneInfo("America/New_York"), None)
def test_it_is_what_the_words_say(
    history: tuple[set[datetime], timedelta, datetime], zone: ZoneInfo, closed: set[int] | None
) -> None:
    slots, length, now = history
    open_days = None
    if closed is not None:
        open_days = {now.date() - back * DAY for back in range(DAYS_COMPARED + 1) if back not in closed}
    assert silence(slots, length, now, zone, open_days) == slowly(slots, length, now, zone, open_days)
