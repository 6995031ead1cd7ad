"""The one writer: groups, what one bad batch costs, and a database that is away."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, OperationalError, connection
from psycopg.errors import DeadlockDetected

from calls import writer as writer_module
from calls.models import Account, Call, UnreadBody
from calls.receive import Batch, Receipt, Reception
from calls.vendor.notices import EndedCall, IncomingCall
from calls.writer import Writer

from .databases import locked_database
from .factory import make_app

pytestmark = pytest.mark.django_db(transaction=True)

ACCOUNT = "1688851873049028"


def batch(app_id: int, *voipids: str, **fields: Any) -> Batch:
    calls = [IncomingCall(ACCOUNT, "7881302848173300", voipid, 2) for voipid in voipids]
    return Batch(app_id, datetime.now(UTC), 60, calls, **fields)


@asynccontextmanager
async def started(writer: Writer) -> AsyncIterator[Writer]:
    writer.start()
    try:
        yield writer
    finally:
        await writer.stop()


async def settled(receipts: list[asyncio.Future[Receipt]]) -> list[Receipt | BaseException]:
    return await asyncio.gather(*receipts, return_exceptions=True)


def write(*batches: Batch) -> list[Receipt | BaseException]:
    """Hand all of them to a writer at once, as callbacks of one moment; what it says to each."""

    async def run() -> list[Receipt | BaseException]:
        writer = Writer()
        # Submitted before the thread starts, so that they are one group.
        writer._loop = asyncio.get_running_loop()
        receipts = [writer.submit(one) for one in batches]
        async with started(writer):
            return await settled(receipts)

    return asyncio.run(run())


def test_a_batch_is_stored_before_its_receipt_is_given() -> None:
    app = make_app()
    (receipt,) = write(batch(app.pk, "1"))
    assert isinstance(receipt, Receipt)
    assert list(Call.objects.values_list("pk", flat=True)) == receipt.stored


def test_each_batch_of_a_group_gets_its_own_receipt() -> None:
    app = make_app()
    receipts = write(batch(app.pk, "1"), batch(app.pk, "1", "2"), batch(app.pk), batch(app.pk, "3"))
    counted = [(len(receipt.stored), receipt.duplicates) for receipt in receipts if isinstance(receipt, Receipt)]
    assert counted == [(1, 0), (1, 1), (0, 0), (1, 0)]


@pytest.fixture
def groups(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many batches each group held that was stored."""
    sizes: list[int] = []
    store = Writer._store

    def noted(self: Writer, group: Any, *more: Any) -> None:
        sizes.append(len(group))
        store(self, group, *more)

    monkeypatch.setattr(Writer, "_store", noted)
    return sizes


def test_what_waits_is_committed_as_one_group(groups: list[int]) -> None:
    app = make_app()
    write(*[batch(app.pk, str(number)) for number in range(40)])
    assert groups == [40]


def test_a_group_is_no_larger_than_the_limit(groups: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LARGEST_GROUP", 3)
    app = make_app()
    write(*[batch(app.pk, str(number)) for number in range(10)])
    assert groups == [3, 3, 3, 1]
    assert Call.objects.count() == 10


def test_a_bad_batch_costs_no_other_of_its_group() -> None:
    app = make_app()
    good, bad, another = write(batch(app.pk, "1"), batch(app.pk + 1000, "2"), batch(app.pk, "3"))
    assert isinstance(good, Receipt)
    assert isinstance(bad, IntegrityError)
    assert isinstance(another, Receipt)
    assert set(Call.objects.values_list("voipid", flat=True)) == {"1", "3"}


def test_a_bad_batch_alone_is_answered_with_its_error() -> None:
    (bad,) = write(batch(make_app().pk + 1000, "1"))
    assert isinstance(bad, IntegrityError)


def test_the_writer_goes_on_after_a_bad_batch() -> None:
    app = make_app()

    async def run() -> None:
        async with started(Writer()) as writer:
            with pytest.raises(IntegrityError):
                await writer.submit(batch(app.pk + 1000, "1"))
            await writer.submit(batch(app.pk, "2"))

    asyncio.run(run())
    assert Call.objects.get().voipid == "2"


def test_a_call_to_an_account_that_was_deleted_meanwhile_is_stored() -> None:
    app = make_app()

    async def run() -> None:
        async with started(Writer()) as writer:
            end = EndedCall(ACCOUNT, "of a call before our time")
            await writer.submit(Batch(app.pk, datetime.now(UTC), 60, ends=[end]))  # the account is remembered from here on
            await Account.objects.all().adelete()
            await writer.submit(batch(app.pk, "1"))

    asyncio.run(run())
    assert Call.objects.get().account.wxid == ACCOUNT


def test_what_was_submitted_is_stored_before_the_writer_stops() -> None:
    app = make_app()

    async def run() -> list[asyncio.Future[Receipt]]:
        async with started(Writer()) as writer:
            receipts = [writer.submit(batch(app.pk, str(number))) for number in range(50)]
        await settled(receipts)
        return receipts

    assert all(receipt.done() for receipt in asyncio.run(run()))
    assert Call.objects.count() == 50


def test_the_writer_s_thread_ends_with_it() -> None:
    write()
    assert "writer" not in [thread.name for thread in threading.enumerate()]


def test_a_callback_that_gave_up_waiting_is_stored_all_the_same() -> None:
    app = make_app()

    async def run() -> None:
        writer = Writer()
        writer._loop = asyncio.get_running_loop()
        given_up = writer.submit(batch(app.pk, "1"))
        given_up.cancel()
        waited_for = writer.submit(batch(app.pk, "2"))
        async with started(writer):
            await waited_for

    asyncio.run(run())
    assert Call.objects.count() == 2


@pytest.mark.usefixtures("impatient")
def test_a_locked_database_is_an_error_for_the_whole_group() -> None:
    app = make_app()
    with locked_database():
        outcomes = write(batch(app.pk, "1"), batch(app.pk, "2"))
    assert [type(outcome) for outcome in outcomes] == [OperationalError, OperationalError]
    assert not Call.objects.exists()


@pytest.mark.usefixtures("impatient")
def test_the_next_call_arrives_once_the_database_is_free_again() -> None:
    app = make_app()

    async def run() -> None:
        async with started(Writer()) as writer:
            with locked_database(), pytest.raises(OperationalError):
                await writer.submit(batch(app.pk, "1"))
            await writer.submit(batch(app.pk, "2"))

    asyncio.run(run())
    assert Call.objects.get().voipid == "2"


def test_a_group_that_postgresql_ended_so_that_another_can_go_on_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    take_in, tries = Reception.take_in, []

    def in_anothers_way_at_first(self: Reception, batches: Any) -> list[Receipt]:
        tries.append(len(batches))
        if len(tries) == 1:
            raise OperationalError from DeadlockDetected()
        return take_in(self, batches)

    monkeypatch.setattr(Reception, "take_in", in_anothers_way_at_first)
    outcomes = write(batch(app.pk, "1"), batch(app.pk, "2"))
    assert [type(outcome) for outcome in outcomes] == [Receipt, Receipt]
    assert tries == [2, 2]


def test_a_short_lock_is_waited_for() -> None:
    app = make_app()

    async def run() -> None:
        async with started(Writer()) as writer:
            with locked_database():
                receipt = writer.submit(batch(app.pk, "1"))
                done, _ = await asyncio.wait([receipt], timeout=0.2)
                assert not done
            await receipt

    asyncio.run(run())
    assert Call.objects.count() == 1


def test_what_could_not_be_read_goes_through_the_writer_too() -> None:
    app = make_app()
    write(batch(app.pk, unread=b"x", unread_reason="why"))
    assert UnreadBody.objects.get().content == b"x"


def test_batches_that_are_submitted_together_are_one_group(groups: list[int]) -> None:
    app = make_app()

    async def run() -> None:
        async with started(Writer()) as writer:
            await asyncio.gather(*writer.submit_group([batch(app.pk, str(number)) for number in range(20)]))

    asyncio.run(run())
    assert groups == [20]
    assert list(Call.objects.order_by("pk").values_list("voipid", flat=True)) == [str(number) for number in range(20)]


@pytest.mark.usefixtures("impatient")
def test_while_the_database_is_away_all_that_waits_is_given_up_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "LARGEST_GROUP", 3)
    app = make_app()
    told: list[int] = []

    async def run() -> float:
        writer = Writer()
        writer._loop = asyncio.get_running_loop()
        began = writer._loop.time()
        with locked_database():
            receipts = [writer.submit(batch(app.pk, str(number))) for number in range(10)]
            for number, receipt in enumerate(receipts):
                receipt.add_done_callback(lambda _, number=number: told.append(number))  # type: ignore[misc]
            async with started(writer):
                outcomes = await settled(receipts)
        assert {type(outcome) for outcome in outcomes} == {OperationalError}
        return writer._loop.time() - began

    assert asyncio.run(run()) < 3  # not one wait for the lock after the other
    assert told == list(range(10))
    assert not Call.objects.exists()


@pytest.mark.usefixtures("impatient")
def test_a_database_that_goes_away_behind_a_bad_batch_is_waited_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    app = make_app()
    take_in = Reception.take_in
    with ExitStack() as lock:

        def then_locked(self: Reception, batches: Any) -> list[Receipt]:
            try:
                return take_in(self, batches)
            except IntegrityError:
                if len(batches) > 1:
                    lock.enter_context(locked_database())
                raise

        monkeypatch.setattr(Reception, "take_in", then_locked)
        began = time.monotonic()
        outcomes = write(batch(app.pk + 1000, "bad"), *[batch(app.pk, str(number)) for number in range(50)])
        assert time.monotonic() - began < 3
    assert {type(outcome) for outcome in outcomes} == {OperationalError}
    assert not Call.objects.exists()


def test_other_work_is_done_in_its_turn() -> None:
    app = make_app()
    seen: list[int] = []

    async def run() -> None:
        async with started(Writer()) as writer:
            writer.submit(batch(app.pk, "1"))
            counted = writer.do(lambda: seen.append(Call.objects.count()))
            writer.submit(batch(app.pk, "2"))
            counted_again = writer.do(lambda: seen.append(Call.objects.count()))
            await asyncio.gather(counted, counted_again)

    asyncio.run(run())
    assert seen == [1, 2]


def test_work_that_fails_says_so_and_costs_nothing_else() -> None:
    app = make_app()

    def fail() -> None:
        raise ValueError("no")

    async def run() -> None:
        async with started(Writer()) as writer:
            with pytest.raises(ValueError, match="no"):
                await writer.do(fail)
            await writer.submit(batch(app.pk, "1"))

    asyncio.run(run())
    assert Call.objects.count() == 1


def test_what_is_submitted_or_asked_for_is_done_before_it_stops() -> None:
    app = make_app()
    done: list[str] = []

    async def run() -> None:
        async with started(Writer()) as writer:
            writer.submit(batch(app.pk, "1"))
            writer.do(lambda: done.append("work"))

    asyncio.run(run())
    assert done == ["work"]
    assert Call.objects.count() == 1


@pytest.mark.sqlite_only
def test_nothing_is_stored_in_a_database_file_that_was_moved_away() -> None:
    app = make_app()
    connection.close()
    file = Path(connection.settings_dict["NAME"])

    async def run() -> list[str]:
        outcomes = []
        async with started(Writer()) as writer:
            for number in range(3):
                [outcome] = await settled([writer.submit(batch(app.pk, str(number)))])
                outcomes.append(str(outcome))
                if number == 0:
                    file.rename(file.with_suffix(".moved"))
                else:
                    file.with_suffix(".moved").replace(file)
                    break
            await writer.submit(batch(app.pk, "3"))
        return outcomes

    assert asyncio.run(run())[1] == "the database file was moved away or replaced"
    assert set(Call.objects.values_list("voipid", flat=True)) == {"0", "3"}


def test_what_is_submitted_in_one_turn_of_the_loop_is_one_group(groups: list[int]) -> None:
    app = make_app()

    async def run() -> None:
        async with started(Writer()) as writer:
            for turn in range(3):
                await settled([writer.submit(batch(app.pk, f"{turn} {number}")) for number in range(7)])

    asyncio.run(run())
    assert groups == [7, 7, 7]


def test_what_was_submitted_last_is_stored_before_the_end() -> None:
    app = make_app()

    async def run() -> Receipt:
        async with started(Writer()) as writer:
            receipt = writer.submit(batch(app.pk, "1"))
        return await receipt

    assert asyncio.run(run()).stored == list(Call.objects.values_list("pk", flat=True))
