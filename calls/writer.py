"""The one writer of callbacks: a thread that stores what has gathered in one transaction (group commit).

While one group is being committed the next one gathers, so groups grow with the load and a commit's cost is shared.
Whatever else the server writes in numbers goes through this thread as well: two writers would keep each other waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import threading
from collections.abc import Callable, Sequence
from typing import TypeAlias

from django.db import DataError, IntegrityError, OperationalError, connection
from django.db import Error as DatabaseError

from . import patience
from .receive import Batch, Receipt, Reception

logger = logging.getLogger(__name__)

LARGEST_GROUP = 500  # batches
DEADLOCK = "40P01"  # PostgreSQL's code for it


class _Entry:
    """A batch on its way through the writer, and the callback that waits for its receipt."""

    def __init__(self, batch: Batch, receipt: asyncio.Future[Receipt]) -> None:
        self.batch = batch
        self.receipt = receipt


class _Job:
    """Other work for the writer's thread, and who waits for it."""

    def __init__(self, work: Callable[[], object], done: asyncio.Future[None]) -> None:
        self.work = work
        self.done = done


_Item: TypeAlias = list[_Entry] | _Job | None  # None: the end


def is_away(error: BaseException) -> bool:
    """Whether an error says that the database can't take anything now (locked, full, gone), and not that a batch is bad."""
    return isinstance(error, DatabaseError) and not isinstance(error, (IntegrityError, DataError))


def was_in_anothers_way(error: BaseException) -> bool:
    """Whether two transactions waited for each other, and PostgreSQL ended this one: the other one is through by now."""
    return getattr(error.__cause__, "sqlstate", None) == DEADLOCK


class Writer:
    """Start and stop it with the server; the rest is for the event loop's thread."""

    def __init__(self) -> None:
        self._items: queue.SimpleQueue[_Item] = queue.SimpleQueue()
        self._submitted: list[_Entry] = []  # and not handed over yet
        self._reception = Reception()
        self._thread = threading.Thread(target=self._run, name="writer")

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Store what was submitted, then end."""
        self._hand_over()
        self._items.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, batch: Batch) -> asyncio.Future[Receipt]:
        """The receipt, once the batch is on disk; or the error for which it is not.

        A caller who gives up waiting costs nothing: the batch is stored and shown all the same.
        """
        entry = _Entry(batch, self._loop.create_future())
        if not self._submitted:
            self._loop.call_soon(self._hand_over)
        self._submitted.append(entry)
        return entry.receipt

    def submit_group(self, batches: Sequence[Batch]) -> list[asyncio.Future[Receipt]]:
        """The same for several, which are stored together, or for want of a database none of them."""
        self._hand_over()
        entries = [_Entry(batch, self._loop.create_future()) for batch in batches]
        self._items.put(entries)
        return [entry.receipt for entry in entries]

    def do(self, work: Callable[[], object]) -> asyncio.Future[None]:
        """Have this done by the writer's thread, in turn. The future tells when, or holds the error that it raised."""
        self._hand_over()
        done: asyncio.Future[None] = self._loop.create_future()
        self._items.put(_Job(work, done))
        return done

    def _hand_over(self) -> None:
        """All that was submitted in one turn of the event loop, together: one by one the thread would take each as it comes,
        with a commit for almost every one, while the loop still reads the next."""
        for start in range(0, len(self._submitted), LARGEST_GROUP):
            self._items.put(self._submitted[start : start + LARGEST_GROUP])
        self._submitted = []

    @patience.within(patience.HURRIED)
    def _run(self) -> None:
        following: _Item = []
        try:
            while following is not None:
                group, following = self._gather()
                if group:
                    self._store(group)
                if isinstance(following, _Job):
                    self._do(following)
        finally:
            connection.close()

    def _gather(self) -> tuple[list[_Entry], _Item]:
        """Wait for something. Then all batches that wait, up to a limit; and the job or the end that comes behind them."""
        group: list[_Entry] = []
        item = self._items.get()
        while isinstance(item, list):
            group += item
            if len(group) >= LARGEST_GROUP:
                return group, []
            try:
                item = self._items.get_nowait()
            except queue.Empty:
                return group, []
        return group, item

    def _store(self, group: list[_Entry]) -> None:
        error = self._stored_or_why_not(group)
        if error and was_in_anothers_way(error):
            error = self._stored_or_why_not(group)
        if error and is_away(error):
            self._give_up(group, error)
        elif error:
            # One of them is bad and must not cost the others; or what was remembered of accounts and contacts is out of
            # date, and is forgotten now. So each gets another chance, alone.
            self._store_one_by_one(group)

    def _store_one_by_one(self, group: list[_Entry]) -> None:
        for number, entry in enumerate(group):
            error = self._stored_or_why_not([entry])
            if error and is_away(error):
                self._give_up(group[number:], error)
                return
            if error:
                logger.error("a callback could not be stored", exc_info=error)
                self._answer([entry], error)

    def _stored_or_why_not(self, group: list[_Entry]) -> Exception | None:
        try:
            _have_connection()
            receipts = self._reception.take_in([entry.batch for entry in group])
        except Exception as error:
            return error
        self._answer(group, receipts)
        return None

    def _give_up(self, group: list[_Entry], error: Exception) -> None:
        """The database is away. What waits is given up with the group: stored later, it must not be stored before it."""
        others: list[_Item] = []
        with contextlib.suppress(queue.Empty):
            while True:
                item = self._items.get_nowait()
                if isinstance(item, list):
                    group += item
                else:
                    others.append(item)
        for item in others:
            self._items.put(item)
        logger.error("%d callbacks could not be stored: %s", len(group), error)
        connection.close()
        self._reception = Reception()  # it may be another database that comes back
        self._answer(group, error)

    def _do(self, job: _Job) -> None:
        error = None
        try:
            _have_connection()
            job.work()
        except Exception as raised:
            error = raised
            if is_away(error):
                connection.close()
        self._loop.call_soon_threadsafe(_tell, job.done, error)

    def _answer(self, group: list[_Entry], outcome: Sequence[Receipt] | Exception) -> None:
        """Wake the callbacks that wait, all at once: each call into the loop from here costs a context switch."""
        self._loop.call_soon_threadsafe(_settle, group, outcome)


def _have_connection() -> None:
    """The connection stays open. Into a file of SQLite that was moved away or replaced meanwhile nothing is stored.

    Raises: OperationalError where it was.
    """
    if connection.vendor != "sqlite":
        return
    if connection.connection is None:
        with connection.cursor() as cursor:  # for each statement of many rows SQLite makes a journal, else as a file
            cursor.execute("PRAGMA temp_store = MEMORY")
    elif not connection.connection.is_in_place:
        connection.close()
        raise OperationalError("the database file was moved away or replaced")


def _settle(group: list[_Entry], outcome: Sequence[Receipt] | Exception) -> None:
    for number, entry in enumerate(group):
        if entry.receipt.done():  # its callback gave up waiting
            continue
        if isinstance(outcome, Exception):
            entry.receipt.set_exception(outcome)
            entry.receipt.exception()  # whoever gave up waiting need not hear of it
        else:
            entry.receipt.set_result(outcome[number])


def _tell(done: asyncio.Future[None], error: Exception | None) -> None:
    if done.done():  # whoever waited gave up
        return
    if error:
        done.set_exception(error)
    else:
        done.set_result(None)
