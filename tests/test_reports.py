"""Reports count exactly: the same as somebody who looks at every call of the period."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from django.http import QueryDict
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from calls import reports, rollups
from calls.models import Account, Attempt, Call, DelayCount, Person
from calls.models.call import CallQuerySet
from calls.models.person import Sight
from calls.reports import Asked, Tally
from dashboard.filters.call_filter import CallFilter
from dashboard.pages.report_filter import asked_of

from .factory import make_account, make_app, make_attempt, make_call, make_contact, make_person, make_team

pytestmark = pytest.mark.django_db

Outcome = Call.Outcome
Until = DelayCount.Until

# A plain zone, the two nights of New York and of Lord Howe (half an hour), Kolkata's and Kathmandu's halves and quarters,
# and both ends of the calendar's day.
ZONES = [
    "Asia/Shanghai", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Asia/Kathmandu", "Pacific/Kiritimati",
    "Pacific/Pago_Pago", "UTC", "Africa/Cairo",
]  # fmt: skip
# Around nights in which clocks change: New York's and Cairo's in October, Lord Howe's and New York's in spring.
STARTS = [date(2025, 3, 6), date(2025, 4, 2), date(2025, 10, 1), date(2025, 10, 29)]
LENGTH = 6  # days


def asked(zone: str, first: date, last: date, sight: Sight | None = None, **query: Any) -> tuple[Asked, CallQuerySet]:
    """What a report with these filters is about, and the calls that history lists."""
    data = QueryDict(mutable=True)
    data.update({"from": first.isoformat(), "to": last.isoformat()} | {name: str(value) for name, value in query.items()})
    sight = sight or Sight(all=True)
    with timezone.override(ZoneInfo(zone)):
        found = CallFilter(data, Call.objects.seen_by(sight), sight)
        assert found.is_valid(), found.errors
        return asked_of(found, sight), found.qs


def a_history(start: date, seed: int, calls: int = 60) -> None:
    """Some days of calls of every kind and outcome, more of them about midnights than elsewhere."""
    made_up = random.Random(seed)
    app = make_app()
    teams = [make_team(), make_team(), None]
    accounts = [make_account(app, team=team) for team in teams for _ in range(2)]
    contacts = [make_contact(app) for _ in range(6)]
    people = [make_person(*([team] if team else []), password=None) for team in teams]
    begin = datetime(start.year, start.month, start.day, tzinfo=UTC)
    for _ in range(calls):
        hour = made_up.choice([*range(LENGTH * 24), *(day * 24 for day in range(LENGTH))])
        at = begin + timedelta(hours=hour, seconds=made_up.choice([0, 1, 1799, 1800, 3599, made_up.randrange(3600)]))
        outcome = made_up.choice(Outcome.values)
        by = made_up.choice(people) if outcome in {"rejected", "refused", "unconfirmed"} else None
        shown = made_up.choice([None, at + timedelta(microseconds=made_up.randrange(3_000_000))])
        call = make_call(
            made_up.choice(accounts), at, contact=made_up.choice(contacts), kind=made_up.choice(Call.Kind.values),
            outcome=outcome, claimed_by=by, shown_at=shown, screens=1 if shown else 0,
            ended_at=at + timedelta(seconds=9) if outcome == "ended" else None,
        )  # fmt: skip
        for _attempt in range(made_up.randrange(3) if by else 0):
            result = made_up.choice(Attempt.Result.values)
            started = at + timedelta(microseconds=made_up.randrange(50_000_000))
            make_attempt(call, by, result=result, started_at=started, milliseconds=made_up.randrange(4000))


def count_some_days(choice: list[bool]) -> None:
    for counted, day in zip(choice, sorted(rollups._all_days()), strict=False):
        if counted:
            assert rollups.count(day)


# The second implementation: slow, and obvious


def tally(calls: list[Call]) -> tuple[int, dict[str, int], int]:
    over = [call for call in calls if call.is_over]
    return len(calls), dict(Counter(call.outcome for call in over)), sum(call.unseen for call in calls)


def plain(found: Tally) -> tuple[int, dict[str, int], int]:
    return found.calls, dict(found.outcomes), found.unseen


def by(calls: list[Call], key: Any) -> dict[Any, tuple[int, dict[str, int], int]]:
    groups: dict[Any, list[Call]] = defaultdict(list)
    for call in calls:
        if key(call) is not None:
            groups[key(call)].append(call)
    return {value: tally(group) for value, group in groups.items()}


def milliseconds(lengths: list[timedelta | None]) -> list[int]:
    """Rounded to two significant digits, in order."""
    found = [Decimal(length // timedelta(milliseconds=1)) for length in lengths if length is not None]
    units = (Decimal(10) ** max(number.adjusted() - 1, 0) for number in found)
    return sorted(
        int((number / unit).quantize(Decimal(1), ROUND_HALF_UP) * unit) for number, unit in zip(found, units, strict=True)
    )


def check(report: Asked, listed: CallQuerySet, zone: str) -> None:
    calls = list(listed.distinct().select_related("account").prefetch_related("attempts"))
    clock = ZoneInfo(zone)

    def hour_of(call: Call) -> tuple[date, int]:
        at = call.received_at.astimezone(clock)
        return at.date(), at.hour

    assert plain(reports.total(report)) == tally(calls)
    hours = reports.by_hour(report, lambda day, hour: (day, hour))
    assert {key: plain(found) for key, found in hours.items()} == by(calls, hour_of)
    accounts, people = reports.by_account_and_person(report)
    assert {key: plain(found) for key, found in accounts.items()} == by(calls, lambda call: call.account_id)
    assert {key: plain(found) for key, found in people.items()} == by(calls, lambda call: call.claimed_by_id)
    shown = milliseconds([call.shown_after for call in calls])
    rejected = milliseconds([call.rejected_after for call in calls])
    for until, known in ((Until.SHOWN, shown), (Until.REJECTED, rejected)):
        ranks = [known[-(-len(known) * percent // 100) - 1] if known else None for percent in (50, 90, 99)]
        delay = reports.delay(report, until)
        assert (delay.calls, [delay.p50, delay.p90, delay.p99]) == (len(known), ranks)
    callers = by(calls, lambda call: call.contact_id)
    several = sorted((pk for pk in callers if callers[pk][0] > 1), key=lambda pk: (-callers[pk][0], pk))[:3]
    assert [(pk, plain(found)) for pk, found in reports.repeat_callers(report, 3)] == [(pk, callers[pk]) for pk in several]


QUERIES = st.fixed_dictionaries(
    {},
    optional={
        "team": st.sampled_from(["first", "second", "none"]),
        "account": st.just("any"),
        "agent": st.just("any"),
        "contact": st.just("any"),
        "kind": st.sampled_from(["1", "2"]),
        "outcome": st.sampled_from(Outcome.values),
        "unseen": st.just("true"),
        "weekday": st.sampled_from(["1", "6", "7"]),
        "hour": st.sampled_from(["0", "1", "2", "3", "23"]),
        "q": st.sampled_from(["788", "person", "no such"]),
    },
)


def made_real(query: dict[str, str]) -> dict[str, Any]:
    """With the ids of what the history holds."""
    teams = list(Account.objects.exclude(team=None).order_by("team").values_list("team", flat=True).distinct())
    real: dict[str, Any] = {
        "team": {"first": teams[0], "second": teams[1], "none": "none"}.get(query.get("team", "")),
        "account": Account.objects.order_by("pk")[1].pk,
        "agent": Person.objects.order_by("pk")[0].username,
        "contact": Call.objects.order_by("pk")[0].contact_id,
    }
    return {name: real.get(name, value) for name, value in query.items()}


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(STARTS),
    seed=st.integers(0, 1000),
    counted=st.lists(st.booleans(), min_size=LENGTH + 2, max_size=LENGTH + 2),
    query=QUERIES,
    ends=st.tuples(st.integers(-1, LENGTH), st.integers(0, LENGTH)),
    own_team=st.booleans(),
)
def test_figures_equal_those_of_whoever_looks_at_every_call(
    zone: str, start: date, seed: int, counted: list[bool], query: dict[str, str], ends: tuple[int, int], own_team: bool
) -> None:
    with transaction.atomic():
        a_history(start, seed)
        count_some_days(counted)
        sight = None
        if own_team:
            sight = Sight(all=False, teams=frozenset({Account.objects.exclude(team=None).order_by("-pk")[0].team_id or 0}))
            query = {name: value for name, value in query.items() if name not in {"team", "account", "agent", "contact"}}
        first = start + timedelta(days=ends[0])
        report, listed = asked(zone, first, first + timedelta(days=ends[1]), sight, **made_real(query))
        check(report, listed, zone)
        transaction.set_rollback(True)
