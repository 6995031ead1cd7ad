"""What is removed once it has been kept for long enough: exactly that, whatever interrupts it."""

from __future__ import annotations

import asyncio
import io
import logging
import random
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as property_of
from hypothesis import strategies as st
from pytest_django import Settings

from calls import retention
from calls.models import Attempt, Avatar, Call, Contact, FollowUp, Note, Purge, RawNotice, RolledDay
from calls.receive import Receipt
from calls.retention import Purging, What, kept_since, remove_some, to_remove
from calls.writer import Writer
from dashboard import settings as installed

from .factory import (
    AES_KEY,
    PASSWORD,
    make_account,
    make_attempt,
    make_call,
    make_client,
    make_contact,
    make_follow_up,
    make_person,
)
from .installation import Installation, installation
from .pages.reading import words_of
from .server import running_server
from .test_commands import refused_start
from .test_receive import batch, incoming
from .threads import at_once
from .waiting import eventually

pytestmark = pytest.mark.django_db

DAY = timedelta(days=1)
NOW = datetime(2026, 3, 31, 4, 0, tzinfo=UTC)  # noon in Shanghai
PERIODS = ("CALL_DAYS", "ATTEMPT_DAYS", "NOTICE_DAYS")


@pytest.fixture(autouse=True)
def nothing_goes_unless_a_test_says_so(settings: Settings) -> None:
    settings.CALL_DAYS = settings.ATTEMPT_DAYS = 0
    settings.NOTICE_DAYS = 36_500


def full_call(received_at: datetime, **fields: Any) -> Call:
    """A call with all that can belong to one."""
    person = make_person(password=None)
    call = make_call(received_at=received_at, **{"outcome": "rejected", "claimed_by": person} | fields)
    make_attempt(call, person, started_at=received_at, answer='{"errcode": 0}')
    Note.objects.create(call=call, person=person, written_at=received_at, text="calls often")
    RawNotice.objects.create(call=call, received_at=received_at, body="{}")
    make_follow_up(call, added_at=received_at, done_at=received_at, done_by=person)
    return call


def remove_all(now: datetime = NOW) -> Counter[What]:
    removed: Counter[What] = Counter()
    while some := remove_some(now):
        removed += some
    return removed


def purge(*arguments: str) -> str:
    printed = io.StringIO()
    call_command("purge", *arguments, stdout=printed)
    return printed.getvalue()


# How long


def test_by_default_calls_and_attempts_are_kept_for_ever_and_raw_notices_for_90_days() -> None:
    assert (installed.CALL_DAYS, installed.ATTEMPT_DAYS, installed.NOTICE_DAYS) == (0, 0, 90)


@pytest.mark.parametrize("value", ["-1", "soon", "36501"])
@pytest.mark.parametrize("name", PERIODS)
def test_a_period_that_is_none_stops_the_start_with_a_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    said = refused_start(tmp_path, **{name: value})
    assert said.startswith("Ringdesk can't start:")
    assert f"Set {name} to a whole number from 0 to 36500." in said
    assert len(said.splitlines()) == 1


def test_days_are_whole_ones_of_the_installations_zone(settings: Settings) -> None:
    settings.CALL_DAYS = 1
    assert kept_since(NOW)[What.CALLS] == datetime(2026, 3, 29, 16, 0, tzinfo=UTC)  # midnight in Shanghai


def test_the_longest_period_that_is_taken_reaches_back_without_an_error(settings: Settings) -> None:
    settings.CALL_DAYS = settings.ATTEMPT_DAYS = settings.NOTICE_DAYS = 36_500
    assert remove_some(NOW) == Counter()


def test_what_is_kept_for_ever_stays() -> None:
    full_call(NOW - 5000 * DAY)
    assert remove_all() == Counter()
    assert (Call.objects.count(), Attempt.objects.count(), RawNotice.objects.count()) == (1, 1, 1)


# What goes


def test_a_call_goes_with_its_attempts_notes_notice_and_contact(settings: Settings) -> None:
    settings.CALL_DAYS = 30
    old, new = full_call(NOW - 32 * DAY), full_call(NOW - 3 * DAY)
    assert remove_all() == dict.fromkeys(What, 1)
    assert list(Call.objects.all()) == [new]
    assert [list(model.objects.values_list("call", flat=True)) for model in (Attempt, Note, RawNotice)] == [[new.pk]] * 3
    assert list(Contact.objects.all()) == [new.contact]
    assert old.account in type(old.account).objects.all()


def test_what_was_known_of_a_contact_goes_with_it_and_is_counted_as_one(settings: Settings) -> None:
    settings.CALL_DAYS = 30
    old = make_call(received_at=NOW - 32 * DAY)
    Contact.objects.update(remark="known", changed_by=make_person(password=None), changed_at=NOW)
    Avatar.objects.create(contact=old.contact, tried_at=NOW, version="v1", picture=b"picture")
    assert remove_all() == {What.CALLS: 1, What.CONTACTS: 1}
    assert not Avatar.objects.exists()


def test_a_contact_who_called_again_since_stays(settings: Settings) -> None:
    settings.CALL_DAYS = 30
    old = make_call(received_at=NOW - 40 * DAY)
    make_call(old.account, received_at=NOW - DAY, contact=old.contact)
    assert remove_all() == {What.CALLS: 1}
    assert Contact.objects.get() == old.contact


@pytest.mark.parametrize(("seconds", "left"), [(-1, 0), (0, 1)])
def test_the_first_moment_that_is_kept_is_exact(settings: Settings, seconds: int, left: int) -> None:
    settings.CALL_DAYS = settings.ATTEMPT_DAYS = settings.NOTICE_DAYS = 10
    full_call(kept_since(NOW)[What.CALLS] + timedelta(seconds=seconds))
    remove_all()
    assert Call.objects.count() == Attempt.objects.count() == RawNotice.objects.count() == left


def test_a_call_says_who_rejected_it_after_its_attempts_went(settings: Settings) -> None:
    settings.ATTEMPT_DAYS = 30
    call = full_call(NOW - 31 * DAY)
    assert not Call.objects.get().answer_is_gone
    assert remove_all() == {What.ATTEMPTS: 1}
    after = Call.objects.get()
    assert (after.outcome, after.claimed_by, after.version) == (call.outcome, call.claimed_by, call.version)
    assert (after.answer_is_gone, after.status, after.rejected_after) == (True, "rejected", None)


def test_the_calls_page_says_that_the_vendors_answer_is_kept_no_longer(settings: Settings) -> None:
    settings.ATTEMPT_DAYS = 30
    call = full_call(timezone.now() - 40 * DAY)
    client = make_client(make_person(password=None, role="supervisor"))
    assert "is kept no longer" not in words_of(client.get(f"/history/{call.pk}/"))
    remove_all(timezone.now())
    page = words_of(client.get(f"/history/{call.pk}/"))
    assert f"{call.claimed_by} rejected it, or tried to. What the vendor answered is kept no longer." in page
    assert client.get("/history/").status_code == 200


def test_a_call_that_nobody_tried_to_reject_lacks_no_answer() -> None:
    assert not make_call(received_at=NOW - 40 * DAY).answer_is_gone


def test_raw_notices_go_by_themselves(settings: Settings) -> None:
    settings.NOTICE_DAYS = 90
    full_call(NOW - 91 * DAY - DAY)
    kept = full_call(NOW - 89 * DAY)
    assert remove_all() == {What.NOTICES: 1}
    assert RawNotice.objects.get().call == kept
    assert Call.objects.count() == 2


def test_all_raw_notices_go_where_none_are_to_be_kept(settings: Settings) -> None:
    settings.NOTICE_DAYS = 0
    full_call(NOW - timedelta(hours=1))
    assert remove_all() == {What.NOTICES: 1}


def test_days_whose_calls_or_attempts_went_are_counted_anew(settings: Settings) -> None:
    settings.CALL_DAYS, settings.ATTEMPT_DAYS = 100, 10
    days = [date(2025, 10, 1), date(2026, 3, 1), date(2026, 3, 30)]
    for day in days:
        full_call(datetime(day.year, day.month, day.day, 23, 59, tzinfo=UTC))
        RolledDay.objects.create(day=day, counted_at=NOW)
    remove_all()
    stale = RolledDay.objects.filter(counted_at=None).values_list("day", flat=True)
    assert set(stale) == {days[0], days[1]}


# What does not go yet


def test_a_call_that_rings_is_not_touched_however_old_its_date_is(settings: Settings) -> None:
    settings.CALL_DAYS = settings.ATTEMPT_DAYS = 1
    full_call(NOW - 10 * DAY, outcome="missed", rings_until=NOW + timedelta(seconds=5))
    assert remove_all() == Counter()


def test_a_claim_whose_result_may_still_be_saved_holds_its_call_and_attempts_for_a_while(settings: Settings) -> None:
    settings.CALL_DAYS = settings.ATTEMPT_DAYS = 1
    call = full_call(NOW - 10 * DAY, outcome="unconfirmed", claimed_until=NOW - DAY)
    assert remove_all() == to_remove(NOW) == Counter()
    Call.objects.update(claimed_until=NOW - 3 * DAY)
    assert remove_all()[What.CALLS] == 1
    assert not Call.objects.filter(pk=call.pk).exists()


# In steps


def test_each_step_takes_a_few_of_the_oldest(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 2)
    settings.CALL_DAYS = 1
    account = make_account()
    ages = [7, 3, 9, 5, 4]
    for age in ages:
        make_call(account, received_at=NOW - age * DAY)
    assert remove_some(NOW)[What.CALLS] == 2
    left = [(NOW - at).days for at in Call.objects.order_by("received_at").values_list("received_at", flat=True)]
    assert left == [5, 4, 3]
    assert [remove_some(NOW)[What.CALLS] for _ in range(3)] == [2, 1, 0]


def test_a_step_that_fails_half_way_has_removed_nothing(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.CALL_DAYS = 1
    full_call(NOW - 10 * DAY)

    def fail(*arguments: Any) -> None:
        raise DatabaseError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(retention, "_have_recounted", fail)
        with pytest.raises(DatabaseError):
            remove_some(NOW)
    counts = [model.objects.count() for model in (Call, Attempt, Note, RawNotice, Contact, Purge)]
    assert counts == [1, 1, 1, 1, 1, 0]
    assert remove_all() == dict.fromkeys(What, 1)


class Killed(BaseException):
    """As when the process is gone."""


@property_of(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    ages=st.lists(st.tuples(st.integers(0, 12), st.integers(0, 3)), max_size=14),
    days=st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(0, 12)),
    at_once=st.integers(1, 4),
    killed_at=st.sets(st.integers(1, 40), max_size=6),
)
def test_whatever_interrupts_it_exactly_what_is_older_is_removed(
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
    ages: list[tuple[int, int]],
    days: tuple[int, int, int],
    at_once: int,
    killed_at: set[int],
) -> None:
    for model in (Attempt, Note, FollowUp, RawNotice, Call, Contact, Purge):
        model.objects.all().delete()
    settings.CALL_DAYS, settings.ATTEMPT_DAYS, settings.NOTICE_DAYS = days
    account = make_account()
    contacts = [make_contact(account.app) for _ in range(4)]
    calls = [full_call(NOW - age * DAY, account=account, contact=contacts[who]) for age, who in ages]
    since = kept_since(NOW)
    kept = [call for call in calls if call.received_at >= since.get(What.CALLS, call.received_at)]
    expected = to_remove(NOW)

    statements = 0

    def count(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal statements
        statements += "SAVEPOINT" not in sql
        if statements in killed_at:
            killed_at.remove(statements)
            raise Killed
        return execute(sql, *rest)

    monkeypatch.setattr(retention, "ROWS_AT_ONCE", at_once)
    removed_all = False
    while not removed_all:
        with connection.execute_wrapper(count), suppress(Killed):
            removed_all = not remove_some(NOW)
        whole = set(Call.objects.values_list("pk", flat=True))
        for model in (Note, FollowUp):  # all of a call is there, or nothing
            assert set(model.objects.values_list("call", flat=True)) == whole

    def with_a_row(model: Any, what: What) -> list[int]:
        assert not model.objects.exclude(call__in=kept).exists()
        return [call.pk for call in kept if call.received_at >= since.get(what, call.received_at)]

    assert sorted(Call.objects.values_list("pk", flat=True)) == [call.pk for call in kept]
    assert sorted(Note.objects.values_list("call", flat=True)) == [call.pk for call in kept]
    assert sorted(Attempt.objects.values_list("call", flat=True)) == with_a_row(Attempt, What.ATTEMPTS)
    assert sorted(RawNotice.objects.values_list("call", flat=True)) == with_a_row(RawNotice, What.NOTICES)
    gone = {contacts[who].pk for _, who in ages} - {call.contact_id for call in kept}
    assert not Contact.objects.filter(pk__in=gone).exists()
    assert Contact.objects.count() == len(contacts) - len(gone)
    assert Counter({What(row.what): row.removed for row in Purge.objects.all()}) == expected


# On record


def test_what_was_removed_is_on_record_by_day_and_kind(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 1)
    settings.CALL_DAYS = 30
    for age in (40, 41, 42):
        full_call(NOW - age * DAY)
    remove_all()
    full_call(NOW - 30 * DAY)
    remove_all(NOW + DAY)
    rows = Purge.objects.filter(what=What.CALLS).values_list("day", "removed", "before")
    assert list(rows) == [
        (date(2026, 4, 1), 1, kept_since(NOW + DAY)[What.CALLS]),
        (date(2026, 3, 31), 3, kept_since(NOW)[What.CALLS]),
    ]


def test_the_log_says_once_what_a_purge_came_to(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    settings.CALL_DAYS = 30
    full_call(timezone.now() - 40 * DAY)
    purging = Purging()
    with caplog.at_level(logging.INFO, "calls.retention"):
        assert [purging.step() for _ in range(3)] == [True, False, False]
    [line] = caplog.messages
    assert line.startswith("removed, for it was kept long enough: ")
    assert "1 calls" in line


# The command


def test_the_command_says_what_it_removed_and_from_when_on_the_rest_is_kept(settings: Settings) -> None:
    settings.CALL_DAYS, settings.NOTICE_DAYS = 30, 10
    full_call(timezone.now() - 40 * DAY)
    full_call(timezone.now() - 20 * DAY)
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    assert purge().splitlines() == [
        f"calls: kept from {today - 30 * DAY} 00:00 on; 1 removed",
        "attempts: kept as long as their calls; 1 removed",
        f"notices: kept from {today - 10 * DAY} 00:00 on; 2 removed",
        "notes: kept as long as their calls; 1 removed",
        "follow_ups: kept as long as their calls; 1 removed",
        "contacts: kept as long as their calls; 1 removed",
    ]


def test_a_dry_run_says_what_would_be_removed_and_removes_nothing(settings: Settings) -> None:
    settings.CALL_DAYS, settings.ATTEMPT_DAYS, settings.NOTICE_DAYS = 30, 25, 10
    for age in (40, 28, 20, 1):
        full_call(timezone.now() - age * DAY)
    said = purge("--dry-run")
    assert Call.objects.count() == Attempt.objects.count() == RawNotice.objects.count() == 4
    assert not Purge.objects.exists()
    assert purge() == said.replace("would be removed", "removed")


def test_the_command_says_that_what_has_no_period_is_kept_for_ever() -> None:
    assert "calls: kept for ever; 0 removed" in purge()


def test_a_command_that_is_interrupted_says_what_it_removed_until_then(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 1)
    settings.CALL_DAYS = 30
    for age in (40, 41, 42):
        make_call(received_at=timezone.now() - age * DAY)
    monkeypatch.setattr("calls.management.commands.purge.time.sleep", _interrupt)
    printed = io.StringIO()
    with pytest.raises(KeyboardInterrupt):
        call_command("purge", stdout=printed)
    assert "1 removed" in printed.getvalue().splitlines()[0]
    assert Call.objects.count() == 2


def _interrupt(seconds: float) -> None:
    raise KeyboardInterrupt


# Beside the work


@pytest.mark.django_db(transaction=True)
def test_two_who_purge_at_once_remove_and_count_everything_once(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS_AT_ONCE", 3)
    settings.CALL_DAYS = 30
    for number in range(20):
        make_call(received_at=NOW - 40 * DAY + timedelta(seconds=number))
    at_once(2, lambda _: remove_all())
    assert not Call.objects.exists()
    assert Purge.objects.get(what=What.CALLS).removed == 20


@pytest.mark.django_db(transaction=True)
def test_a_contact_whom_the_writer_remembers_and_a_purge_removed_calls_again(settings: Settings) -> None:
    settings.CALL_DAYS = 1
    app = make_account().app

    async def run() -> Receipt:
        writer = Writer()
        writer.start()
        try:
            await writer.submit(batch(app, incoming("1"), received_at=NOW - 40 * DAY))
            removed = await asyncio.to_thread(_remove_all_in_a_thread)
            assert removed[What.CONTACTS] == 1
            return await writer.submit(batch(app, incoming("2")))
        finally:
            await writer.stop()

    receipt = asyncio.run(run())
    assert len(receipt.stored) == 1
    assert Call.objects.get().contact == Contact.objects.get()


def _remove_all_in_a_thread() -> Counter[What]:
    try:
        return remove_all()
    finally:
        connection.close()


def set_up(folder: Path) -> Installation:
    """With seven thousand calls, of which one thousand are new."""
    made = installation(folder)
    app = made.manage("vendor_app", "app", "--app-id", "a", "--app-secret", "s", "--aes-key", AES_KEY)
    app.communicate(timeout=60)
    made.manage("agent", "lilei").communicate(f"{PASSWORD}\n", timeout=60)
    for statement in SEVEN_THOUSAND_CALLS:
        made.database.sql(statement)
    return made


def test_a_purge_that_is_killed_again_and_again_leaves_whole_calls_and_comes_to_its_end(tmp_path: Path) -> None:
    made = set_up(tmp_path)

    def left() -> int:
        """Calls, each of which has one note and one contact."""
        [(calls, notes, contacts)] = made.database.sql(COUNTS)
        assert calls == notes == contacts
        return int(str(calls))

    ends = [left()]
    while ends[-1] > 1000:
        with made.manage("purge", CALL_DAYS="30") as purging:
            enough = ends[-1] - random.randrange(2500)
            eventually(lambda: left() < enough or purging.poll() is not None, 60)  # noqa: B023
            purging.kill()
        ends.append(left())
    assert ends[-1] == 1000
    assert len(ends) > 2
    assert made.database.sql("SELECT removed FROM calls_purge WHERE what = 'calls'") == [(6000,)]


COUNTS = "SELECT (SELECT count(*) FROM calls_call), (SELECT count(*) FROM calls_note), (SELECT count(*) FROM calls_contact)"
SEVEN_THOUSAND_CALLS = [
    "INSERT INTO calls_account (id, app_id, wxid, name, created_at) VALUES (1, 1, '1688', '', '2024-01-01 00:00:00')",
    "WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 7000)"
    " INSERT INTO calls_contact (id, app_id, wxid, nickname, avatar) SELECT n, 1, CAST(n AS text), '', '' FROM numbers",
    "INSERT INTO calls_call (id, account_id, contact_id, voipid, kind, received_at, rings_until, outcome, version, screens,"
    " screens_with_sound) SELECT id, 1, id, wxid, 1, CURRENT_TIMESTAMP, CURRENT_TIMESTAMP, 'missed', 0, 0, 0"
    " FROM calls_contact",
    "UPDATE calls_call SET received_at = '2024-01-01 00:00:00', rings_until = '2024-01-01 00:00:00' WHERE id > 1000",
    "INSERT INTO calls_note (call_id, person_id, written_at, text) SELECT id, 1, received_at, '' FROM calls_call",
]


def test_a_running_server_purges_by_itself(tmp_path: Path) -> None:
    set_up(tmp_path)
    with running_server(tmp_path, CALL_DAYS="30") as server:
        eventually(lambda: server.sql("SELECT count(*) FROM calls_call") == [(1000,)], 60)
        eventually(lambda: "removed, for it was kept long enough: 6000 calls" in server.log)
