"""Storing in time: what happens to callbacks while the database is away, and to those that it refuses."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import DatabaseError
from pytest_django import Settings

from calls import backlog
from calls import intake as intake_module
from calls import writer as writer_module
from calls.intake import AnotherKey, Intake, Letter, NotStored
from calls.models import Account, Call, Callback, UnreadBody, VendorApp
from calls.receive import Batch, Receipt, Reception
from calls.senders import Opened, Sender
from calls.spool import Spool
from calls.vendor import envelope
from calls.vendor.sandbox import call_notice, chat_notice

from .databases import locked_database, wait_for_locks
from .diskfull import room_for
from .factory import AES_KEY, make_app

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_data_folder")]

KEY = envelope.key_bytes(AES_KEY)
ACCOUNT = "1688851873049028"


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The database is given up sooner than it is in earnest, so that tests don't last; the spool is not."""
    wait_for_locks(0.3, monkeypatch)
    monkeypatch.setattr(intake_module, "DATABASE_WITHIN", 0.1)
    monkeypatch.setattr(intake_module, "TRIED_AGAIN_EVERY", 0.05)


@pytest.fixture
def app() -> VendorApp:
    return make_app(end_path="state", end_values="end")


def call(voipid: str) -> dict[str, Any]:
    return call_notice(ACCOUNT, "7881302848173300", voipid)


def end(voipid: str) -> dict[str, Any]:
    notice = call(voipid)
    notice["data"][0]["state"] = "end"
    return notice


class Desk:
    """Callbacks to one vendor app, and the intake that takes them."""

    def __init__(self, app: VendorApp) -> None:
        self.sender: Sender | None = Sender.of(app)
        self.app_id = app.pk
        self.away: DatabaseError | None = None
        self.intake = Intake(self._sender_of)
        self.slowest = 0.0  # seconds

    async def _sender_of(self, app_id: int) -> Sender | None:
        if self.away:
            raise self.away
        return self.sender if app_id == self.app_id else None

    async def take(self, *notices: object, received_at: datetime | None = None) -> Letter:
        """Raises: NotStored."""
        return await self.take_body(envelope.seal(list(notices), KEY), received_at)

    async def take_body(self, body: bytes, received_at: datetime | None = None, opened: Opened | None = None) -> Letter:
        assert self.sender
        began = time.monotonic()
        letter = Letter(
            self.app_id, (self.sender.app.name, self.sender.app.app_id), received_at or datetime.now(UTC), "192.0.2.7", body
        )
        opened = opened or self.sender.open(body, letter.received_at)
        try:
            await self.intake.take_in(letter, opened, lambda: time.monotonic() - began)
        finally:
            self.slowest = max(self.slowest, time.monotonic() - began)
        return letter

    async def worked_in(self) -> None:
        """Until nothing waits any more."""
        async with asyncio.timeout(10):
            while self.intake._backlog:
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Desk]:
        await self.intake.start()
        try:
            yield self
        finally:
            await self.intake.stop()


def stored() -> list[str]:
    """The calls in the order in which they were stored."""
    return list(Call.objects.order_by("pk").values_list("voipid", flat=True))


def test_while_the_database_is_locked_callbacks_are_taken_in_time_and_stored_in_order_afterwards(app: VendorApp) -> None:
    received_at = datetime(2026, 11, 23, 8, 30, 15, 250_000, tzinfo=UTC)

    async def run() -> float:
        async with Desk(app).open() as desk:
            await desk.take(call("before"))
            with locked_database():
                for number in range(30):
                    await desk.take(call(str(number)), received_at=received_at + timedelta(seconds=number))
            await desk.worked_in()
            return desk.slowest

    assert asyncio.run(run()) < 0.8
    assert stored() == ["before", *[str(number) for number in range(30)]]
    late = Call.objects.get(voipid="7")
    assert late.received_at == received_at + timedelta(seconds=7)
    assert late.rings_until - late.received_at == timedelta(seconds=app.ring_seconds)


def test_a_call_and_its_end_that_came_while_the_database_was_locked_make_an_ended_call(app: VendorApp) -> None:
    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                await desk.take(call("1"))
                await desk.take(end("1"))
            await desk.worked_in()

    asyncio.run(run())
    assert Call.objects.get().status == "ended"


def test_an_end_does_not_overtake_a_call_that_the_writer_was_asked_for_later_than_the_first_that_waits(
    app: VendorApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first waits longest, and so is put aside first; those still with the writer then keep their turn behind it."""
    monkeypatch.setattr(intake_module, "DATABASE_WITHIN", 0.2)

    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                first = asyncio.create_task(desk.take(call("first")))
                await asyncio.sleep(0.15)
                second = asyncio.create_task(desk.take(call("second")))
                await first
                assert not second.done()
                await asyncio.gather(desk.take(end("second")), second)
            await desk.worked_in()

    asyncio.run(run())
    assert stored() == ["first", "second"]
    assert Call.objects.get(voipid="second").status == "ended"


def test_what_comes_once_the_database_is_back_goes_behind_what_waits(app: VendorApp) -> None:
    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                for number in range(300):
                    await desk.take(call(str(number)))
            await asyncio.gather(*(desk.take(call(str(number))) for number in range(300, 400)))
            assert await Call.objects.filter(voipid="399").aexists() is False
            await desk.worked_in()
            await desk.take(call("400"))

    asyncio.run(run())
    assert stored() == [str(number) for number in range(401)]


def test_once_nothing_waits_the_database_is_asked_again(app: VendorApp) -> None:
    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                await desk.take(call("1"))
            await desk.worked_in()
            await desk.take(call("2"))
            assert not desk.intake._backlog
            assert await Call.objects.filter(voipid="2").aexists()

    asyncio.run(run())


def test_a_callback_that_the_writer_stored_late_counts_once_and_not_as_pushed_again(app: VendorApp) -> None:
    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                await desk.take(call("1"))  # in the spool by now, and with the writer still
            await desk.worked_in()

    asyncio.run(run())
    assert stored() == ["1"]
    row = Callback.objects.get()
    assert (row.calls, row.duplicates, row.spooled, row.result) == (1, 0, True, "read")
    assert row.milliseconds is not None


def test_each_of_many_that_were_stored_late_is_in_the_log_once(app: VendorApp) -> None:
    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                await asyncio.gather(*(desk.take(call(str(number))) for number in range(40)))
            await desk.worked_in()

    asyncio.run(run())
    assert len(stored()) == 40
    assert sum(row.calls for row in Callback.objects.all()) == 40
    assert sum(row.duplicates for row in Callback.objects.all()) == 0


def test_chat_messages_need_no_database(app: VendorApp) -> None:
    async def run() -> float:
        async with Desk(app).open() as desk:
            with locked_database():
                for _ in range(20):
                    await desk.take(chat_notice(ACCOUNT))
                assert not desk.intake._backlog
            return desk.slowest

    assert asyncio.run(run()) < 0.1


def test_a_large_body_waits_in_the_spool_too(app: VendorApp) -> None:
    body = b"x" * 1024 * 1024

    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                for number in range(6):  # more than are worked in at once
                    await desk.take_body(body[:-1] + b"%d" % number)
            await desk.worked_in()

    asyncio.run(run())
    assert sorted(kept.content[-1:] for kept in UnreadBody.objects.all()) == [b"%d" % number for number in range(6)]


def bad(app_id: int, body: bytes = b"the body") -> Opened:
    """What the database refuses: a call of a kind that no column takes."""
    [good] = (
        Sender.of(VendorApp.objects.get(pk=app_id)).open(envelope.seal([call("bad")], KEY), datetime.now(UTC)).batch.calls
    )
    return Opened(Batch(app_id, datetime.now(UTC), 60, [good.__class__(good.account, good.contact, good.voipid, None)]))


def test_a_batch_that_the_database_refuses_is_kept_with_the_reason(app: VendorApp) -> None:
    opened = bad(app.pk)

    async def run() -> None:
        async with Desk(app).open() as desk:
            await desk.take_body(b"the body", opened=opened)
            await desk.take(call("good"))

    asyncio.run(run())
    assert stored() == ["good"]
    kept = UnreadBody.objects.get()
    assert (kept.content, kept.reason) == (b"the body", "it could not be stored: IntegrityError")
    assert Callback.objects.get(body=kept).result == "unreadable"


def test_a_batch_from_the_spool_that_the_database_refuses_is_kept_and_costs_no_other(
    app: VendorApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    take_in = Reception.take_in

    def refusing(self: Reception, batches: Sequence[Batch]) -> list[Receipt]:
        if any(one.voipid == "bad" for batch in batches for one in batch.calls):
            raise ValueError("out of range")
        return take_in(self, batches)

    monkeypatch.setattr(Reception, "take_in", refusing)

    async def run() -> Letter:
        async with Desk(app).open() as desk:
            with locked_database():
                await desk.take(call("1"))
                letter = await desk.take(call("bad"))
                await desk.take(call("2"))
            await desk.worked_in()
            return letter

    letter = asyncio.run(run())
    assert stored() == ["1", "2"]
    kept = UnreadBody.objects.get()
    assert json.loads(kept.content) == [call("bad")]
    assert (kept.opened, kept.received_at) == (True, letter.received_at)
    assert kept.reason == "it could not be stored: ValueError"
    row = Callback.objects.get(body=kept)
    assert (row.result, row.spooled) == ("unreadable", True)


def test_a_bad_batch_waits_where_the_database_goes_away_before_it_is_kept(
    app: VendorApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = bad(app.pk)
    tries: list[str] = []
    keep = Intake._keep_as_unread

    async def first_locked(self: Intake, *arguments: Any) -> Receipt:
        tries.append("")
        if len(tries) == 1:
            with locked_database():
                return await keep(self, *arguments)
        return await keep(self, *arguments)

    monkeypatch.setattr(Intake, "_keep_as_unread", first_locked)
    monkeypatch.setattr(Sender, "open", lambda self, body, received_at: opened)

    async def run() -> None:
        async with Desk(app).open() as desk:
            await desk.take_body(b"the body", opened=opened)
            await desk.worked_in()

    asyncio.run(run())
    assert UnreadBody.objects.get().content == b"the body"
    assert len(tries) > 1


def test_a_callback_whose_app_was_deleted_meanwhile_holds_up_no_other(
    app: VendorApp, caplog: pytest.LogCaptureFixture
) -> None:
    gone = make_app()

    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                desk.app_id = gone.pk
                await desk.take(call("to nobody"))
                desk.app_id = app.pk
                await desk.take(call("1"))
            await gone.adelete()
            await desk.worked_in()

    asyncio.run(run())
    assert set(stored()) - {"to nobody"} == {"1"}
    assert not UnreadBody.objects.exists()


def test_a_callback_whose_app_has_lost_its_key_is_kept(app: VendorApp) -> None:
    async def run() -> Letter:
        async with Desk(app).open() as desk:
            with locked_database():
                await asyncio.gather(*(desk.take(call(str(number))) for number in range(3)))
                letter = await desk.take(call("later"))
                desk.sender = None
            await desk.worked_in()
            return letter

    letter = asyncio.run(run())
    assert letter.body in {kept.content for kept in UnreadBody.objects.all()}


def test_apps_that_can_not_be_read_yet_are_waited_for(app: VendorApp) -> None:
    leave_in_spool(app, "1", "2")

    async def run() -> None:
        desk = Desk(app)
        desk.away = DatabaseError("away")
        async with desk.open():
            await asyncio.sleep(0.2)
            assert len(desk.intake._backlog) == 2
            desk.away = None
            await desk.worked_in()

    asyncio.run(run())
    assert stored() == ["1", "2"]


def test_where_the_spool_refuses_as_well_the_callback_is_refused_and_the_next_is_taken(app: VendorApp) -> None:
    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                with room_for(10):
                    for number in range(3):
                        with pytest.raises(NotStored):
                            await desk.take(call(f"refused {number}"))
                await desk.take(call("1"))
            await desk.worked_in()
            await desk.take(call("2"))
            assert desk.slowest < 1

    asyncio.run(run())
    assert [voipid for voipid in stored() if "refused" not in voipid] == ["1", "2"]


def leave_in_spool(app: VendorApp, *voipids: str) -> None:
    """As a server that ended while the database was locked."""

    async def run() -> None:
        with locked_database():
            async with Desk(app).open() as desk:
                for voipid in voipids:
                    await desk.take(call(voipid))

    asyncio.run(run())
    Call.objects.all().delete()


def restart(app: VendorApp) -> None:
    """Another server, until nothing waits any more."""

    async def run() -> None:
        async with Desk(app).open() as desk:
            await desk.worked_in()

    asyncio.run(run())


def test_what_a_server_left_in_the_spool_is_stored_by_the_next_one(app: VendorApp, own_data_folder: Path) -> None:
    voipids = [str(number) for number in range(250)]
    leave_in_spool(app, *voipids)

    async def run() -> None:
        async with Desk(app).open() as desk:
            await desk.worked_in()

    asyncio.run(run())
    assert stored() == voipids
    asyncio.run(run())
    assert stored() == voipids
    assert sum(row.duplicates for row in Callback.objects.all()) == 0  # the spool was empty the second time


def test_stopping_while_the_database_is_locked_loses_nothing(app: VendorApp) -> None:
    async def stopped() -> float:
        with locked_database():
            async with Desk(app).open() as desk:
                await asyncio.gather(*(desk.take(call(str(number))) for number in range(20)))
                await desk.take(call("20"))
                began = time.monotonic()
            return time.monotonic() - began

    assert asyncio.run(stopped()) < 5

    async def run() -> None:
        async with Desk(app).open() as desk:
            await desk.worked_in()

    asyncio.run(run())
    assert stored() == [str(number) for number in range(21)]


def test_what_another_process_left_when_it_stopped_is_worked_in_by_one_that_goes_on(
    app: VendorApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "OTHERS_LOOKED_AFTER_EVERY", 0.05)

    async def run() -> None:
        async with Desk(app).open() as going_on:
            with locked_database():
                async with Desk(app).open() as stopped:
                    await stopped.take(call("1"))
            async with asyncio.timeout(10):
                while not await sync_to_async(stored)():
                    await asyncio.sleep(0.02)
            await going_on.worked_in()

    asyncio.run(run())
    assert stored() == ["1"]


def test_a_spool_under_another_key_is_left_alone_and_said(app: VendorApp, settings: Settings, own_data_folder: Path) -> None:
    leave_in_spool(app, "1")
    before = (own_data_folder / "spool.0").read_bytes()
    key = settings.SECRET_KEY
    settings.SECRET_KEY = "another"  # noqa: S105

    async def start() -> None:
        with pytest.raises(AnotherKey, match="another SECRET_KEY"):
            await Desk(app).intake.start()

    asyncio.run(start())
    assert (own_data_folder / "spool.0").read_bytes() == before

    settings.SECRET_KEY = key

    async def run() -> None:
        async with Desk(app).open() as desk:
            await desk.worked_in()

    asyncio.run(run())
    assert stored() == ["1"]


def test_a_damaged_record_costs_no_other(app: VendorApp, caplog: pytest.LogCaptureFixture) -> None:
    async def run() -> None:
        with locked_database():
            async with Desk(app).open() as desk:
                await desk.take(call("1"))
                await desk.intake._spool.append(b"no letter at all")
                await desk.take(call("2"))

    asyncio.run(run())
    Call.objects.all().delete()

    async def again() -> None:
        async with Desk(app).open() as desk:
            await desk.worked_in()

    asyncio.run(again())
    assert stored() == ["1", "2"]
    assert "a callback in the spool can't be read" in caplog.text
    assert "it was set aside" in caplog.text


def test_callbacks_of_another_database_wait_for_it_to_come_back(app: VendorApp, caplog: pytest.LogCaptureFixture) -> None:
    """As after a start on a new database by mistake."""
    leave_in_spool(app, "1")
    VendorApp.objects.filter(pk=app.pk).update(name="of another database", app_id="another")
    app.refresh_from_db()
    restart(app)
    assert stored() == []
    assert "came to a vendor app of another database" in caplog.text
    VendorApp.objects.filter(pk=app.pk).update(app_id="sandbox-app")
    app.refresh_from_db()
    restart(app)
    assert stored() == ["1"]


def test_callbacks_to_an_app_that_is_gone_wait_for_it_to_come_back(app: VendorApp) -> None:
    leave_in_spool(app, "1")
    pk = app.pk
    Account.objects.all().delete()
    app.delete()

    restart(make_app())
    assert stored() == []
    app.pk = pk
    app.save(force_insert=True)
    restart(app)
    assert stored() == ["1"]


def test_a_start_after_a_crash_does_not_work_in_again_what_was_worked_in(
    app: VendorApp, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def crash(self: Spool) -> None:
        raise OSError("the machine stops here")

    with monkeypatch.context() as patch:
        patch.setattr(Spool, "clear", crash)
        leave_in_spool(app, "1")
        restart(app)
    restart(app)
    assert stored() == ["1"]
    assert list(Callback.objects.values_list("calls", "duplicates")) == [(1, 0)]


def test_pages_are_not_told_that_they_are_live_while_callbacks_wait(app: VendorApp) -> None:
    async def run() -> None:
        async with Desk(app).open() as desk:
            assert backlog.waiting() == (0, None)
            with locked_database():
                before = datetime.now(UTC)
                await desk.take(call("1"))
                await desk.take(call("2"))
                count, since = backlog.waiting()
                assert count == 2
                assert since
                assert since >= before
            await desk.worked_in()
            assert backlog.waiting() == (0, None)

    asyncio.run(run())


def test_a_letter_survives_being_packed() -> None:
    letter = Letter(
        7, ("name", "id"), datetime(2026, 11, 23, 8, 0, 0, 1, tzinfo=UTC), "2001:db8::1", b"\n\x00binary\nbody\n"
    )
    assert Letter.unpacked(letter.packed()) == letter


def test_an_account_that_is_first_called_meanwhile_is_made(app: VendorApp) -> None:
    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                await desk.take(call("1"))
            await desk.worked_in()

    asyncio.run(run())
    assert Account.objects.get().wxid == ACCOUNT


def test_a_backlog_longer_than_a_group_is_worked_in_whole(app: VendorApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intake_module, "WORKED_IN_AT_ONCE", 7)
    monkeypatch.setattr(writer_module, "LARGEST_GROUP", 5)

    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                await asyncio.gather(*(desk.take(call(str(number))) for number in range(60)))
            await desk.worked_in()

    asyncio.run(run())
    assert stored() == [str(number) for number in range(60)]


def test_of_a_refused_body_with_many_calls_none_is_left_out(app: VendorApp, monkeypatch: pytest.MonkeyPatch) -> None:
    def refusing(self: Reception, batches: Sequence[Batch]) -> list[Receipt]:
        if any(batch.calls for batch in batches):
            raise ValueError("out of range")
        return take_in(self, batches)

    take_in = Reception.take_in
    monkeypatch.setattr(Reception, "take_in", refusing)

    async def run() -> Letter:
        async with Desk(app).open() as desk:
            return await desk.take(*[call(str(number)) for number in range(30)])

    letter = asyncio.run(run())
    kept = UnreadBody.objects.get()
    assert (kept.content, kept.opened) == (letter.body, False)


def test_what_is_set_aside_during_an_outage_is_set_aside_once(
    app: VendorApp, own_data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(intake_module, "TRIED_AGAIN_EVERY", 0.01)
    wait_for_locks(0.01, monkeypatch)
    tries: list[int] = []
    work_in = Intake._work_in

    async def counted(self: Intake, group: Any) -> None:
        tries.append(len(group))
        await work_in(self, group)

    async def leave() -> None:
        with locked_database():
            async with Desk(app).open() as desk:
                await desk.intake._spool.append(b"no letter at all")
                await desk.take(call("1"))

    asyncio.run(leave())
    monkeypatch.setattr(Intake, "_work_in", counted)

    async def run() -> None:
        async with Desk(app).open() as desk:
            with locked_database():
                async with asyncio.timeout(20):
                    while len(tries) < 5:
                        await asyncio.sleep(0.01)
            await desk.worked_in()

    asyncio.run(run())
    assert stored() == ["1"]
    aside = (own_data_folder / "spool.aside").read_bytes().rstrip(b"\0")
    assert len(aside) == 8 + int.from_bytes(aside[:4])  # one record, with its head
