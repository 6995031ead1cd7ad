from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone, translation

from calls.models import Attempt, Call
from calls.templatetags import ringdesk
from calls.vendor.errors import EXPLANATIONS

AT = datetime(2026, 3, 1, 23, 59, 58, 123456, tzinfo=UTC)
Result = Attempt.Result


@pytest.mark.parametrize(
    ("shape", "text"),
    [
        ("time", "23:59:58"),
        ("minute", "23:59"),
        ("day", "03-01"),
        ("short", "03-01 23:59:58"),
        ("exact", "23:59:58.123"),
        ("date", "2026-03-01"),
    ],
)
def test_a_moment_is_shown_in_the_shape_asked_for(shape: str, text: str) -> None:
    with timezone.override(UTC):
        assert f">{text}</time>" in ringdesk.moment(AT, shape)


@pytest.mark.parametrize(("days", "text"), [(0, "10:15"), (1, "yesterday 10:15"), (2, "{day} 10:15")])
def test_a_moment_of_the_last_days_is_told_as_people_do(days: int, text: str) -> None:
    with timezone.override(UTC), translation.override("en"):
        at = (timezone.now() - timedelta(days=days)).replace(hour=10, minute=15)
        shown = re.sub(r"<[^>]*>", "", ringdesk.lately(at))
        assert shown == text.format(day=f"{at:%m-%d}")


@pytest.mark.parametrize(
    ("result", "tone"), [("read", "good"), ("replayed", "info"), ("not_stored", "bad"), ("unknown", "warn")]
)
def test_what_became_of_a_callback_has_its_tone(result: str, tone: str) -> None:
    assert ringdesk.result_tone(result) == tone


def test_a_moment_is_shown_in_the_active_zone() -> None:
    with timezone.override(ZoneInfo("Asia/Shanghai")):
        assert ">03-02 07:59:58</time>" in ringdesk.moment(AT, "short")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Shanghai", "America/Los_Angeles"])
def test_a_moment_carries_its_time_in_utc_whatever_the_zone(zone: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert 'datetime="2026-03-01T23:59:58.123456Z"' in ringdesk.moment(AT)


def test_a_moment_says_in_full_when_and_in_which_zone() -> None:
    with timezone.override(ZoneInfo("Asia/Shanghai")):
        assert 'title="2026-03-02 07:59:58 UTC+8"' in ringdesk.moment(AT)


@pytest.mark.parametrize(
    ("zone", "month", "text"),
    [
        ("UTC", 3, "UTC+0"),
        ("Asia/Shanghai", 3, "UTC+8"),
        ("Asia/Kolkata", 3, "UTC+5:30"),
        ("America/St_Johns", 1, "UTC-3:30"),
        ("America/Los_Angeles", 1, "UTC-8"),
        ("America/Los_Angeles", 7, "UTC-7"),
    ],
)
def test_a_zone_is_told_as_it_is_at_that_moment(zone: str, month: int, text: str) -> None:
    with timezone.override(ZoneInfo(zone)):
        assert ringdesk.zone_of(AT.replace(month=month)) == text


def test_scripts_are_told_the_time_in_milliseconds() -> None:
    assert ringdesk.epoch_ms(datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)) == "1500"


@pytest.mark.parametrize(
    ("length", "text"), [(None, ""), (timedelta(0), "0.0"), (timedelta(seconds=6, milliseconds=240), "6.2")]
)
def test_a_length_is_told_in_seconds(length: timedelta | None, text: str) -> None:
    assert ringdesk.seconds(length) == text


@pytest.mark.parametrize(
    ("name", "sign"),
    [("王秀英", "王"), ("emma", "E"), ("“Emma”", "E"), ("<script>", "S"), ("7up", "7"), ("🙂🙂", "?"), ("", "?")],
)
def test_an_avatar_shows_the_first_letter_of_a_name(name: str, sign: str) -> None:
    assert ringdesk.initial(name) == sign


def test_the_same_contact_has_the_same_tint() -> None:
    assert [ringdesk.tint(pk) for pk in (1, 7, 8)] == [1, 1, 2]


@pytest.mark.parametrize("code", EXPLANATIONS)
def test_every_code_of_the_vendor_is_told_in_words_and_as_it_is(code: str) -> None:
    with translation.override("en"):
        told = ringdesk.in_words(Attempt(result=Result.REFUSED, errcode=code))
        assert str(EXPLANATIONS[code].text) in told
        assert f"({code})" in told
        assert told.endswith(str(EXPLANATIONS[code].advice))


def test_a_code_that_nobody_knows_is_told_as_it_is() -> None:
    with translation.override("en"):
        assert "(4711)" in ringdesk.in_words(Attempt(result=Result.REFUSED, errcode="4711"))


def test_no_two_results_are_told_in_the_same_words() -> None:
    with translation.override("en"):
        told = {ringdesk.in_words(Attempt(result=result, errcode="1001")) for result in Result}
    assert len(told) == len(Result)


@pytest.mark.parametrize(
    ("attempt", "worth_it"),
    [
        (None, False),
        (Attempt(result=Result.ACCEPTED, errcode="0"), False),
        (Attempt(result=Result.NOT_SENT), True),
        (Attempt(result=Result.UNCONFIRMED), True),
        (Attempt(result=Result.PENDING), True),
        (Attempt(result=Result.REFUSED, errcode="1001"), True),
        (Attempt(result=Result.REFUSED, errcode="407"), True),
        (Attempt(result=Result.REFUSED, errcode="4711"), True),
        (Attempt(result=Result.REFUSED, errcode="102"), False),
        (Attempt(result=Result.REFUSED, errcode="113"), False),
    ],
)
def test_another_click_is_offered_where_it_may_help(attempt: Attempt | None, worth_it: bool) -> None:
    assert ringdesk.worth_retrying(attempt) == worth_it


def test_every_outcome_has_a_tone() -> None:
    assert {ringdesk.outcome_tone(outcome) for outcome in Call.Outcome} == {"good", "info", "warn", "bad", "quiet"}


def called(language: str, earlier: int, in_a_day: int, ago: timedelta, outcome: str = "missed") -> str:
    """What is said of a call that came now, after so many, the last of them so long ago."""
    now = datetime(2026, 11, 5, 14, 2, tzinfo=UTC)
    call = Call(received_at=now, rings_until=now + timedelta(seconds=60))
    call.as_of = now
    call.earlier, call.earlier_in_a_day = earlier, in_a_day
    call.last_received_at, call.last_outcome = (now - ago, outcome) if earlier else (None, None)
    with timezone.override(UTC), translation.override(language):
        return re.sub(r"<[^>]*>", "", ringdesk.called_before(call))


@pytest.mark.parametrize(
    ("earlier", "in_a_day", "ago", "outcome", "in_english", "in_chinese"),
    [
        (0, 0, timedelta(), "", "First call", "首次来电"),
        (
            2,
            2,
            timedelta(minutes=22),
            "missed",
            "3rd call in 24 h, last missed 13:40",
            "24 小时内第3次来电，上次 13:40 未接",
        ),
        (
            9,
            1,
            timedelta(hours=2),
            "rule",
            "2nd call in 24 h, last rejected by rule 12:02",
            "24 小时内第2次来电，上次 12:02 规则拒接",
        ),
        (
            11,
            10,
            timedelta(minutes=5),
            "refused",
            "11th call in 24 h, last refused by the vendor 13:57",
            "24 小时内第11次来电，上次 13:57 云端拒绝",
        ),
        (1, 0, timedelta(days=2), "rejected", "called once before, last rejected 11-03", "之前来电 1 次，上次 11-03 已拒接"),
        (
            4,
            0,
            timedelta(days=2),
            "unconfirmed",
            "called 4 times before, last unconfirmed 11-03",
            "之前来电 4 次，上次 11-03 未确认",
        ),
        (
            1,
            1,
            timedelta(seconds=20),
            "rejected",
            "2nd call in 24 h, last rejected 14:01",
            "24 小时内第2次来电，上次 14:01 已拒接",
        ),
        (1, 1, timedelta(seconds=20), "missed", "2nd call in 24 h, last 14:01", "24 小时内第2次来电，上次 14:01"),
    ],
)
def test_earlier_calls_are_told_in_words(
    earlier: int, in_a_day: int, ago: timedelta, outcome: str, in_english: str, in_chinese: str
) -> None:
    assert called("en", earlier, in_a_day, ago, outcome) == in_english
    assert called("zh-hans", earlier, in_a_day, ago, outcome) == in_chinese
