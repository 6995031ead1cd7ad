"""Days are counted once they are over, anew when one of their calls changes, and provably right."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connections, transaction
from django.utils import timezone

from calls import rollups, tallies
from calls.models import Account, Call, HourCount, RolledDay
from calls.models.call import Confirmation
from calls.receive import Batch, Reception
from calls.results import Result
from calls.vendor.notices import EndedCall, IncomingCall

from .factory import make_account, make_attempt, make_call, make_calls, make_person, make_team
from .threads import at_once

pytestmark = pytest.mark.django_db

Outcome = Call.Outcome
NOON = timezone.now().replace(hour=12, minute=0, second=0, microsecond=0) - timedelta(days=5)
DAY = NOON.date()


def counted() -> bool:
    return RolledDay.objects.filter(day=DAY, counted_at__isnull=False).exists()


def a_counted_call(**fields: Any) -> Call:
    call = make_call(fields.pop("account", None), NOON, **fields)
    assert rollups.count(DAY)
    return call


def calls_counted(**fields: Any) -> int:
    return sum(HourCount.objects.filter(day=DAY, **fields).values_list("calls", flat=True))


# When days are counted


def test_a_day_is_counted_two_hours_after_its_end() -> None:
    now = timezone.now()
    last = (now - timedelta(hours=2)).date() - timedelta(days=1)
    make_call(received_at=datetime(last.year, last.month, last.day, 23, 59, tzinfo=UTC))
    make_call(received_at=now)
    while rollups.count_next():
        pass
    assert list(RolledDay.objects.filter(counted_at__isnull=False).values_list("day", flat=True)) == [last]


def test_the_newest_day_is_counted_first() -> None:
    make_call(received_at=NOON - timedelta(days=2))
    assert rollups.count_next()
    newest = RolledDay.objects.get().day
    assert newest == (timezone.now() - timedelta(hours=2)).date() - timedelta(days=1)


def test_without_any_call_there_is_nothing_to_count() -> None:
    assert not rollups.count_next()


def test_a_day_of_no_calls_is_counted_too() -> None:
    make_call(received_at=NOON - timedelta(days=1))
    rollups.rebuild()
    assert counted()
    assert calls_counted() == 0


# Who changes a call of an older day says so


def claim(call: Call) -> datetime:
    until = NOON + timedelta(seconds=10)
    Call.objects.filter(pk=call.pk).update(claimed_until=until, claimed_by=make_person(password=None))
    return until


def late_result(call: Call) -> None:
    attempt = make_attempt(call, make_person(password=None), started_at=NOON)
    Result(call.pk, claim(call), [attempt]).save()


def late_receipt(call: Call) -> None:
    at = NOON + timedelta(seconds=2)
    Call.objects.confirm_shown([Confirmation(call.pk, call.received_at, at, screens=1, with_sound=0)])


def late_end(call: Call) -> None:
    batch = Batch(call.account.app_id, NOON + timedelta(seconds=5), 60, ends=[EndedCall(call.account.wxid, call.voipid)])
    Reception().take_in([batch])
    call.refresh_from_db()
    assert call.ended_at is not None


def another_team(call: Call) -> None:
    call.account.team = make_team()
    call.account.save()


def another_team_for_many(call: Call) -> None:
    Account.objects.filter(pk=call.account_id).update(team=make_team())


CHANGES: list[Callable[[Call], None]] = [late_result, late_receipt, late_end, another_team, another_team_for_many]


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_has_the_day_counted_anew(change: Callable[[Call], None]) -> None:
    call = a_counted_call()
    change(call)
    assert not counted()
    assert rollups.count(DAY)
    assert rollups.first_wrong() is None


def test_a_call_that_was_spooled_has_its_day_counted_anew() -> None:
    call = a_counted_call()
    late = IncomingCall(
        account=call.account.wxid, contact="7881300000000001", voipid="777", kind=2, nickname="", avatar="", called_at=None
    )
    Reception().take_in([Batch(call.account.app_id, NOON, 60, calls=[late])])
    assert not counted()


def test_a_call_that_was_stored_already_leaves_the_day_counted() -> None:
    call = a_counted_call()
    again = IncomingCall(
        account=call.account.wxid, contact=call.contact.wxid, voipid=call.voipid, kind=2, nickname="", avatar="",
        called_at=None,
    )  # fmt: skip
    Reception().take_in([Batch(call.account.app_id, NOON, 60, calls=[again])])
    assert counted()


def test_an_account_that_is_renamed_leaves_its_days_counted() -> None:
    call = a_counted_call()
    call.account.name = "another"
    call.account.save()
    Account.objects.update(name="still another")
    assert counted()


def test_a_call_of_today_marks_no_day() -> None:
    call = make_call()
    Call.objects.confirm_shown([Confirmation(call.pk, call.received_at, timezone.now(), screens=1, with_sound=1)])
    Result(call.pk, claim(call), [make_attempt(call, make_person(password=None))]).save()
    assert not RolledDay.objects.exists()


def test_an_overtaken_count_does_not_stand(monkeypatch: pytest.MonkeyPatch) -> None:
    call = make_call(received_at=NOON)
    delays = tallies.delays

    def overtaken(*args: Any) -> Any:
        late_receipt(call)
        return delays(*args)

    monkeypatch.setattr(tallies, "delays", overtaken)
    assert not rollups.count(DAY)
    assert not counted()
    monkeypatch.undo()
    assert rollups.count(DAY)
    assert rollups.first_wrong() is None


def test_what_was_counted_is_replaced() -> None:
    call = a_counted_call()
    late_result(call)
    rollups.count(DAY)
    assert (calls_counted(), calls_counted(outcome="missed"), calls_counted(outcome="rejected")) == (1, 0, 1)


def test_a_day_whose_calls_were_deleted_is_counted_to_nothing() -> None:
    call = a_counted_call()
    call.delete()
    RolledDay.objects.recount([DAY])
    assert rollups.count_next()
    assert counted()
    assert calls_counted() == 0


# Counting beside others who write, each on a connection of their own


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES)
def test_a_count_does_not_stand_that_a_change_overtook_on_another_connection(
    change: Callable[[Call], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = make_call(received_at=NOON)
    delays = tallies.delays

    def overtaken(*args: Any) -> Any:
        with ThreadPoolExecutor(1) as others:
            others.submit(on_own_connection, change, call).result()
        return delays(*args)

    monkeypatch.setattr(tallies, "delays", overtaken)
    assert not rollups.count(DAY)
    assert not counted()
    monkeypatch.undo()
    assert rollups.count(DAY)
    assert rollups.first_wrong() is None


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("change", CHANGES)
def test_a_count_does_not_stand_beside_a_change_that_is_not_committed_yet(
    change: Callable[[Call], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    call = make_call(received_at=NOON)
    changed, read = threading.Event(), threading.Event()

    def change_slowly(call: Call) -> None:
        with transaction.atomic():
            change(call)
            changed.set()
            assert read.wait(timeout=10)

    def read_beside_it(day: date) -> Any:
        changing.append(others.submit(on_own_connection, change_slowly, call))
        assert changed.wait(timeout=10)
        found = fresh(day)
        read.set()
        return found

    changing: list[Future[None]] = []
    fresh = rollups._fresh
    monkeypatch.setattr(rollups, "_fresh", read_beside_it)
    with ThreadPoolExecutor(1) as others:
        assert not rollups.count(DAY)
    changing[0].result()
    assert not counted()
    monkeypatch.undo()
    assert rollups.count(DAY)
    assert rollups.first_wrong() is None


@pytest.mark.django_db(transaction=True)
def test_several_counts_of_a_day_at_once_come_to_the_same() -> None:
    make_calls(20, received_at=NOON, rings_until=NOON)
    assert at_once(4, lambda number: rollups.count(DAY)) == [True] * 4
    assert calls_counted() == 20
    assert rollups.first_wrong() is None


@pytest.mark.django_db(transaction=True)
def test_counts_are_right_however_they_meet_late_changes() -> None:
    account = make_account()
    calls = make_calls(30, account, received_at=NOON, rings_until=NOON)

    def work(number: int) -> None:
        if number == 0:
            for _ in range(10):
                rollups.count(DAY)
        elif number == 1:
            for _ in range(5):
                another_team_for_many(calls[0])
        else:
            for call in calls[number::3]:
                late_receipt(call)

    at_once(5, work)
    while not rollups.count(DAY):
        pass
    assert calls_counted(team=Account.objects.get(pk=account.pk).team_id) == 30
    assert rollups.first_wrong() is None


def on_own_connection(change: Callable[[Call], None], call: Call) -> None:
    try:
        change(call)
    finally:
        connections.close_all()


# The command


def test_the_command_counts_all_days() -> None:
    make_call(received_at=NOON)
    said = io.StringIO()
    call_command("rollups", stdout=said)
    assert "days were counted." in said.getvalue()
    assert calls_counted() == 1


def test_the_check_proves_that_counts_are_right() -> None:
    a_counted_call()
    said = io.StringIO()
    call_command("rollups", "--check", stdout=said)
    assert said.getvalue() == "Every counted day equals a fresh count.\n"


def test_the_check_names_the_first_day_that_differs() -> None:
    a_counted_call()
    make_call(received_at=NOON + timedelta(days=1))
    rollups.rebuild()
    HourCount.objects.update(calls=7)
    with pytest.raises(CommandError, match=f"HourCount of {DAY} differs"):
        call_command("rollups", "--check")


def test_the_check_leaves_days_that_are_to_be_counted_anew() -> None:
    a_counted_call()
    HourCount.objects.update(calls=7)
    RolledDay.objects.recount([DAY])
    call_command("rollups", "--check", stdout=io.StringIO())


# Numbers


@pytest.mark.parametrize(
    ("number", "rounded"), [(0, 0), (7, 7), (99, 99), (100, 100), (104, 100), (105, 110), (995, 1000), (12_499, 12_000)]
)
def test_two_digits_are_enough(number: int, rounded: int) -> None:
    assert tallies.two_digits(number) == rounded


@pytest.mark.parametrize(("percent", "value"), [(50, 2), (51, 3), (75, 3), (76, 9), (99, 9)])
def test_the_nearest_rank_is_a_value_that_occurred(percent: int, value: int) -> None:
    assert tallies.nearest_rank([(1, 1), (2, 1), (3, 1), (9, 1)], percent) == value


def test_nothing_has_no_rank() -> None:
    assert tallies.nearest_rank([], 50) is None
