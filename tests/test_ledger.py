"""The ledger: what is on record of callbacks, and that keeping it never costs one."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.utils import timezone
from pytest_django import Settings

from calls import ledger as ledger_module
from calls.ledger import Fate, Ledger
from calls.models import Account, AccountTraffic, AnswerTime, Callback, NoticeSample, UnreadBody, VendorApp
from calls.models.traffic import RANGES, SLOWEST
from calls.vendor.sandbox import call_notice
from calls.writer import Writer

from .databases import locked_database
from .factory import make_account, make_app

pytestmark = pytest.mark.django_db(transaction=True)

Result = Callback.Result
NOW = datetime(2026, 11, 23, 8, 30, 15, tzinfo=UTC)


@pytest.fixture(autouse=True)
def today(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    """What these tests put on record is never too old to be kept."""
    settings.CALLBACK_LOG_DAYS = 100_000
    monkeypatch.setattr(ledger_module, "KEPT_FOR", timedelta(days=100_000))


@pytest.fixture
def app() -> VendorApp:
    return make_app()


@asynccontextmanager
async def opened() -> AsyncIterator[Ledger]:
    """A ledger and its writer; all is written when this ends."""
    writer = Writer()
    writer.start()
    ledger = Ledger(writer.do)
    ledger.start()
    try:
        yield ledger
    finally:
        await ledger.stop()
        await writer.stop()


def with_ledger(*pages: Callable[[Ledger], object]) -> None:
    """Take these notes, and have each lot of them written before the next."""

    async def run() -> None:
        async with opened() as ledger:
            for notes in pages:
                notes(ledger)
                await ledger._write_page()

    asyncio.run(run())


def fate(app: VendorApp | None, result: Result = Result.READ, **fields: Any) -> Fate:
    defaults = {"received_at": NOW, "address": "192.0.2.1", "app_id": app.pk if app else None, "seconds": 0.012}
    return Fate(result, **defaults | fields)


def noting(*fates: Fate) -> Callable[[Ledger], None]:
    def notes(ledger: Ledger) -> None:
        for one in fates:
            ledger.note(one)

    return notes


@pytest.mark.parametrize("brought", [{"calls": 1}, {"duplicates": 2}, {"ends": 1}, {"spooled": True}])
def test_a_callback_that_brought_something_of_calls_has_a_row_of_its_own(app: VendorApp, brought: dict[str, Any]) -> None:
    with_ledger(noting(*[fate(app, chats=3, others=1, **brought)] * 2))
    rows = list(Callback.objects.all())
    assert len(rows) == 2
    for row in rows:
        assert {name: getattr(row, name) for name in brought} == brought
        assert (row.app, row.received_at, row.address, row.result) == (app, NOW, "192.0.2.1", "read")
        assert (row.callbacks, row.chats, row.others, row.milliseconds) == (1, 3, 1, 12)


def test_a_callback_that_was_kept_leads_to_what_was_kept(app: VendorApp) -> None:
    body = UnreadBody.objects.keep(app.pk, NOW, b"x", "why")
    with_ledger(noting(fate(app, Result.UNREADABLE, body_id=body.pk, reason="why")))
    row = Callback.objects.get()
    assert (row.body, row.reason, row.result) == (body, "why", "unreadable")


def test_a_row_outlives_what_was_kept_and_let_go_meanwhile(app: VendorApp) -> None:
    with_ledger(noting(fate(app, Result.UNREADABLE, body_id=4711, reason="x" * 1000)))
    row = Callback.objects.get()
    assert row.body is None
    assert len(row.reason) == UnreadBody.LONGEST_REASON


def test_chat_messages_alone_are_gathered_by_minute_app_sender_and_result(app: VendorApp) -> None:
    other = make_app()

    def notes(ledger: Ledger) -> None:
        for second in range(0, 90, 10):
            ledger.note(fate(app, received_at=NOW.replace(second=0) + timedelta(seconds=second), chats=2))
        ledger.note(fate(app, address="192.0.2.2", chats=1))
        ledger.note(fate(other, chats=1))
        ledger.note(fate(app, Result.NOT_ADMITTED))

    with_ledger(notes)
    minute = NOW.replace(second=0)
    rows = Callback.objects.order_by("received_at", "callbacks", "id")
    found = rows.values_list("received_at", "app_id", "address", "result", "callbacks", "chats")
    assert set(found) == {
        (minute, app.pk, "192.0.2.1", "read", 6, 12),
        (minute + timedelta(minutes=1), app.pk, "192.0.2.1", "read", 3, 6),
        (NOW, app.pk, "192.0.2.2", "read", 1, 1),
        (NOW, other.pk, "192.0.2.1", "read", 1, 1),
        (NOW, app.pk, "192.0.2.1", "not_admitted", 1, 0),
    }


def test_a_gathered_row_grows_from_write_to_write_and_keeps_the_slowest(app: VendorApp) -> None:
    slow = [0.003, 0.2, 0.05]
    with_ledger(*[noting(fate(app, chats=5, others=1, seconds=seconds)) for seconds in slow])
    row = Callback.objects.get()
    assert (row.callbacks, row.chats, row.others, row.milliseconds) == (3, 15, 3, 200)


def test_a_gathered_row_that_was_deleted_is_begun_anew(app: VendorApp) -> None:
    async def run() -> None:
        async with opened() as ledger:
            ledger.note(fate(app, chats=1))
            await ledger._write_page()
            await Callback.objects.all().adelete()
            ledger.note(fate(app, chats=1))

    asyncio.run(run())
    assert Callback.objects.get().callbacks == 1


@pytest.mark.parametrize("result", Callback.REFUSED)
def test_refused_callbacks_are_gathered_too_whoever_they_were_for(result: Result) -> None:
    with_ledger(noting(*[fate(None, result)] * 7))
    row = Callback.objects.get()
    assert (row.result, row.callbacks, row.app) == (result, 7, None)


def test_a_flood_of_callbacks_with_calls_is_counted_in_full_though_not_in_rows_of_their_own(app: VendorApp) -> None:
    with_ledger(noting(*[fate(app, calls=1)] * (ledger_module.ROWS_AT_ONCE + 300)))
    assert Callback.objects.count() == ledger_module.ROWS_AT_ONCE + 1
    assert sum(row.calls for row in Callback.objects.all()) == ledger_module.ROWS_AT_ONCE + 300


def test_a_flood_from_many_addresses_is_counted_in_full_in_few_rows() -> None:
    with_ledger(noting(*[fate(None, Result.UNKNOWN, address=f"2001:db8::{number:x}") for number in range(3000)]))
    assert Callback.objects.count() <= ledger_module.KINDS_A_MINUTE + 1
    assert sum(row.callbacks for row in Callback.objects.all()) == 3000


@pytest.mark.usefixtures("impatient")
def test_sums_are_right_over_a_database_that_was_away(app: VendorApp) -> None:
    account = make_account(app)

    def notes(ledger: Ledger) -> None:
        ledger.note(fate(app, calls=1))
        ledger.note(fate(app, chats=2, seconds=0.3))
        ledger.note_answer(app.pk, NOW, 0.004)
        ledger.note_notices(app.pk, NOW, Counter({account.wxid: 3}), [call_notice("1", "2", "3")])

    async def run() -> None:
        async with opened() as ledger:
            notes(ledger)
            await ledger._write_page()
            with locked_database():
                for _ in range(3):
                    notes(ledger)
                    await ledger._write_page()
            notes(ledger)

    asyncio.run(run())
    assert Callback.objects.filter(calls=1).count() == 5
    gathered = Callback.objects.filter(calls=0)
    assert sum(row.callbacks for row in gathered) == 5
    assert sum(row.chats for row in gathered) == 10
    assert AnswerTime.objects.get().callbacks == 5
    assert AccountTraffic.objects.get().notices == 15
    assert NoticeSample.objects.count() == 1


def test_a_page_that_was_not_written_leaves_no_trace_in_what_is_remembered(app: VendorApp) -> None:
    """A row's id that was rolled back is given to another row."""
    account = make_account(app)

    async def run() -> None:
        async with opened() as ledger:
            ledger.note(fate(app, chats=1))
            ledger.note_notices(app.pk, NOW, Counter(), [call_notice("1", "2", "3")])
            ledger._page.traffic[app.pk, account.wxid, NOW] = 2**80  # more than any column takes
            await ledger._write_page()
            assert not await Callback.objects.aexists()
            ledger.note(fate(app, calls=1))
            ledger.note(fate(app, chats=1))
            ledger.note_notices(app.pk, NOW, Counter(), [call_notice("1", "2", "3")])

    asyncio.run(run())
    assert sorted(Callback.objects.values_list("calls", "chats", "callbacks")) == [(0, 1, 1), (1, 0, 1)]
    assert NoticeSample.objects.count() == 1


@pytest.mark.usefixtures("impatient")
def test_what_waits_for_the_database_is_bounded(app: VendorApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "ROWS_KEPT_WAITING", 30)
    monkeypatch.setattr(ledger_module, "KINDS_A_MINUTE", 10)
    monkeypatch.setattr(ledger_module, "ACCOUNTS_AT_ONCE", 10)

    async def run() -> tuple[int, ...]:
        async with opened() as ledger:
            with locked_database():
                for turn in range(5):
                    for number in range(20):
                        ledger.note(fate(app, calls=1))
                        ledger.note(fate(None, Result.UNKNOWN, address=f"{turn}.{number}"))
                        ledger.note_notices(app.pk, NOW, Counter({f"{turn}{number}": 1}), [call_notice("1", "2", "3")])
                    await ledger._write_page()
                page = ledger._page
                return len(page.rows), len(page.gathered), len(page.traffic), len(page.samples)

    assert all(length <= limit for length, limit in zip(asyncio.run(run()), (30, 11, 10, 20), strict=True))


def test_answers_are_counted_by_how_long_they_took(app: VendorApp) -> None:
    other = make_app()
    times = [0.0004, 0.001, 0.0011, 0.09, 0.25, 0.9999, 1.0, 1.2, 40]

    def notes(ledger: Ledger) -> None:
        for seconds in times:
            ledger.note_answer(app.pk, NOW, seconds)
        ledger.note_answer(other.pk, NOW, 0.02)
        ledger.note_answer(app.pk, NOW + timedelta(minutes=5), 0.02)

    with_ledger(notes, notes)
    of_app = AnswerTime.objects.filter(app=app, slot=NOW.replace(second=0))
    assert dict(of_app.values_list("within", "callbacks")) == {1: 4, 2: 2, 100: 2, 250: 2, 1000: 4, SLOWEST: 4}
    assert AnswerTime.objects.get(app=other).callbacks == 2
    assert AnswerTime.objects.get(slot=NOW.replace(minute=35, second=0)).callbacks == 2
    assert set(of_app.values_list("within", flat=True)) <= {*RANGES, SLOWEST}


def test_traffic_is_counted_by_account_and_hour(app: VendorApp) -> None:
    account, namesake = make_account(app, wxid="1688"), make_account(make_app(), wxid="1688")
    notes: list[Callable[[Ledger], object]] = [
        lambda ledger: ledger.note_notices(app.pk, NOW, Counter({"1688": 3, "nobody's": 9}), []),
        lambda ledger: ledger.note_notices(app.pk, NOW, Counter({"1688": 4}), []),
        lambda ledger: ledger.note_notices(app.pk, NOW + timedelta(hours=1), Counter({"1688": 1}), []),
    ]
    with_ledger(*notes)
    hour = NOW.replace(minute=0, second=0)
    counted = AccountTraffic.objects.filter(account=account).values_list("slot", "notices")
    assert dict(counted) == {hour: 7, hour + timedelta(hours=1): 1}
    assert not AccountTraffic.objects.filter(account=namesake).exists()
    assert Account.objects.count() == 2


def in_form(number: int) -> dict[str, Any]:
    return call_notice("1688", "788", "1") | {f"field{number}": "a value"}


def test_a_notice_of_a_call_is_kept_once_for_each_form(app: VendorApp) -> None:
    other = make_app()
    same = [call_notice(str(number) * 9, "788", str(number) * 9) for number in range(1, 5)]
    pages: list[Callable[[Ledger], object]] = [
        lambda ledger: ledger.note_notices(app.pk, NOW, Counter(), [*same, in_form(1)]),
        lambda ledger: ledger.note_notices(other.pk, NOW, Counter(), same[:1]),
    ]
    with_ledger(*pages)
    with_ledger(*pages)  # as after a restart
    assert NoticeSample.objects.filter(app=app).count() == 2
    assert json.loads(NoticeSample.objects.get(app=other).content) == same[0]
    assert b"1688" not in b"".join(bytes(sample.body) for sample in NoticeSample.objects.all())


def test_of_each_app_the_newest_samples_are_kept(app: VendorApp) -> None:
    other = make_app()
    with_ledger(
        lambda ledger: ledger.note_notices(other.pk, NOW, Counter(), [in_form(0)]),
        *[
            lambda ledger, number=number: ledger.note_notices(app.pk, NOW, Counter(), [in_form(number)])
            for number in range(NoticeSample.KEPT_PER_APP + 5)
        ],
    )
    kept = [json.loads(sample.content) for sample in NoticeSample.objects.filter(app=app)]
    assert len(kept) == NoticeSample.KEPT_PER_APP
    assert in_form(NoticeSample.KEPT_PER_APP + 4) in kept
    assert NoticeSample.objects.filter(app=other).count() == 1


def nested(depth: int) -> Any:
    value: Any = "x"
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "notice",
    [
        {"\ud800": "half a character"},
        {"short": "\udfff"},
        {"deep": nested(900)},
        {"deep": nested(5000)},
        {"big": 10**600},
        None,
    ],
    ids=["half character as a name", "as a value", "deep", "deeper", "long number", "nothing"],
)
def test_a_hostile_notice_costs_the_page_nothing(app: VendorApp, notice: Any) -> None:
    accounts = Counter({"\ud800": 1, "x" * 100_000: 1, "nul\0": 1})

    def notes(ledger: Ledger) -> None:
        ledger.note(fate(app, calls=1))
        ledger.note_notices(app.pk, NOW, accounts, [notice, in_form(1)])

    with_ledger(notes)
    assert Callback.objects.count() == 1
    assert in_form(1) in [json.loads(sample.content) for sample in NoticeSample.objects.all()]


def test_a_mistake_in_writing_is_logged_and_the_next_page_is_written(
    app: VendorApp, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        async with opened() as ledger:
            ledger.note(fate(app, calls=1, reason=None))
            await ledger._write_page()
            ledger.note(fate(app, calls=1))
            await ledger._write_page()

    asyncio.run(run())
    assert "could not be written and is left out" in caplog.text
    assert Callback.objects.get().calls == 1


def test_it_goes_on_writing_by_itself_after_a_mistake(app: VendorApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "WRITTEN_EVERY", 0.01)

    async def run() -> None:
        async with opened() as ledger:
            for reason in (None, ""):
                ledger.note(fate(app, calls=1, reason=reason))
                async with asyncio.timeout(5):
                    while ledger._page:
                        await asyncio.sleep(0.01)
            async with asyncio.timeout(5):
                while not await Callback.objects.aexists():
                    await asyncio.sleep(0.01)

    asyncio.run(run())


def test_an_app_that_was_deleted_meanwhile_costs_its_page_alone(app: VendorApp) -> None:
    gone = make_app()
    gone_id = gone.pk
    gone.delete()
    with_ledger(
        lambda ledger: ledger.note_answer(gone_id, NOW, 0.1),
        noting(fate(app, calls=1)),
    )
    assert Callback.objects.count() == 1


def fill(app: VendorApp, rows: int, bodies: int = 0, received_at: datetime | None = None) -> None:
    received_at = received_at or timezone.now()
    Callback.objects.bulk_create(Callback(app=app, received_at=received_at, result=Result.READ) for _ in range(rows))
    for number in range(bodies):
        UnreadBody.objects.keep(app.pk, received_at, bytes([number]) * 200 * 1024, "why")


def tidied() -> None:
    ledger_module.tidy(timezone.now())


def test_the_log_holds_so_many_rows(app: VendorApp, settings: Settings) -> None:
    settings.CALLBACK_LOG_ROWS = 100
    fill(app, 150, 3)
    newest = Callback.objects.first()
    tidied()
    assert Callback.objects.count() == 100
    assert Callback.objects.first() == newest
    assert UnreadBody.objects.count() == 3


def test_the_log_holds_so_many_days(app: VendorApp, settings: Settings) -> None:
    settings.CALLBACK_LOG_DAYS = 2
    fill(app, 5, 5, timezone.now() - timedelta(days=2, minutes=1))
    fill(app, 3, received_at=timezone.now() - timedelta(days=1, hours=23))
    tidied()
    assert (Callback.objects.count(), UnreadBody.objects.count()) == (3, 0)


def test_the_log_holds_so_many_mib_of_bodies(app: VendorApp, settings: Settings) -> None:
    settings.CALLBACK_LOG_MIB = 1
    fill(app, 0, 12)
    tidied()
    assert [body.content[0] for body in UnreadBody.objects.order_by("id")] == [7, 8, 9, 10, 11]


def test_the_log_is_tidied_as_bodies_come(app: VendorApp, settings: Settings) -> None:
    settings.CALLBACK_LOG_ROWS = 100
    fill(app, 150)
    with_ledger(noting(fate(app, calls=1)))  # once at the start
    fill(app, 150)
    body = UnreadBody.objects.keep(app.pk, timezone.now(), b"x", "why")
    with_ledger(noting(fate(app, Result.UNREADABLE, body_id=body.pk)))
    assert Callback.objects.count() == 100


def test_counts_are_kept_for_the_last_weeks(app: VendorApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "KEPT_FOR", timedelta(days=35))
    account = make_account(app)
    for days in (36, 34):
        slot = timezone.now() - timedelta(days=days)
        AnswerTime.objects.create(app=app, slot=slot, within=1, callbacks=1)
        AccountTraffic.objects.create(account=account, slot=slot, notices=1)
    tidied()
    assert (AnswerTime.objects.count(), AccountTraffic.objects.count()) == (1, 1)


def test_nothing_noted_is_nothing_written() -> None:
    written: list[object] = []

    async def write(work: Callable[[], object]) -> None:
        written.append(work)

    async def run() -> None:
        written_by: Callable[[Callable[[], object]], Awaitable[None]] = write
        ledger = Ledger(written_by)
        await ledger._write_page()

    asyncio.run(run())
    assert not written


def test_requests_to_unknown_addresses_drive_no_other_row_out_of_the_log(app: VendorApp) -> None:
    of_calls = [Callback(app=app, received_at=NOW, result=Result.READ, calls=1) for _ in range(20)]
    of_strangers = [Callback(received_at=NOW, result=Result.UNKNOWN) for _ in range(500)]
    Callback.objects.bulk_create(of_calls + of_strangers)
    Callback.objects.let_go(NOW - timedelta(days=1), most=100)
    assert Callback.objects.filter(app=app).count() == 20
    assert Callback.objects.filter(app=None).count() == 10


def test_two_processes_that_count_the_same_at_once_lose_nothing(app: VendorApp) -> None:
    def notes(ledger: Ledger) -> None:
        for _ in range(3):
            ledger.note_answer(app.pk, NOW, 0.004)

    for _ in range(2):  # each with a book of its own, which remembers no row of the other
        with_ledger(notes)
    assert AnswerTime.objects.get().callbacks == 6
