"""The one writer of callbacks: a thread that stores what has gathered in one transaction (group commit).

While one group is being committed the next one gathers, so groups grow with the load and a commit's cost is shared.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
from collections.abc import Sequence

from django.db import OperationalError, connection

from .receive import Batch, Receipt, Reception

logger = logging.getLogger(__name__)

LARGEST_GROUP = 500  # batches


class _Entry:
    """A batch on its way through the writer, and the callback that waits for its receipt."""

    def __init__(self, batch: Batch, receipt: asyncio.Future[Receipt]) -> None:
        self.batch = batch
        self.receipt = receipt


class Writer:
    """Start and stop it with the server; `submit` is for the event loop's thread."""

    def __init__(self) -> None:
        self._entries: queue.SimpleQueue[_Entry | None] = queue.SimpleQueue()
        self._reception = Reception()
        self._thread = threading.Thread(target=self._run, name="writer")

    def start(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    async def stop(self) -> None:
        """Store what was submitted, then end."""
        self._entries.put(None)
        await asyncio.to_thread(self._thread.join)

    def submit(self, batch: Batch) -> asyncio.Future[Receipt]:
        """The receipt, once the batch is on disk; or the error for which it is not.

        A caller who gives up waiting costs nothing: the batch is stored and shown all the same.
        """
        receipt: asyncio.Future[Receipt] = self._loop.create_future()
        self._entries.put(_Entry(batch, receipt))
        return receipt

    def _run(self) -> None:
        try:
            while (first := self._entries.get()) is not None:
                group, last = self._gather(first)
                self._store(group)
                if last:
                    return
        finally:
            connection.close()

    def _gather(self, first: _Entry) -> tuple[list[_Entry], bool]:
        """All that waits, up to a limit; and whether the writer is to end after it."""
        group = [first]
        while len(group) < LARGEST_GROUP:
            try:
                entry = self._entries.get_nowait()
            except queue.Empty:
                break
            if entry is None:
                return group, True
            group.append(entry)
        return group, False

    def _store(self, group: list[_Entry], again: bool = True) -> None:
        try:
            receipts = self._reception.take_in([entry.batch for entry in group])
        except OperationalError as error:  # the database is locked or away: no batch would fare better alone
            logger.exception("%d callbacks could not be stored", len(group))
            connection.close()
            self._answer(group, error)
        except Exception as error:
            if again:
                # One of them is bad and must not cost the others; or what was remembered of accounts and contacts is out
                # of date, and is forgotten now. So each gets another chance, alone.
                for entry in group:
                    self._store([entry], again=False)
            else:
                logger.exception("a callback could not be stored")
                self._answer(group, error)
        else:
            self._answer(group, receipts)

    def _answer(self, group: list[_Entry], outcome: Sequence[Receipt] | Exception) -> None:
        """Wake the callbacks that wait, all at once: each call into the loop from here costs a context switch."""
        self._loop.call_soon_threadsafe(_settle, group, outcome)


def _settle(group: list[_Entry], outcome: Sequence[Receipt] | Exception) -> None:
    for number, entry in enumerate(group):
        if entry.receipt.done():  # its callback gave up waiting
            continue
        if isinstance(outcome, Exception):
            entry.receipt.set_exception(outcome)
        else:
            entry.receipt.set_result(outcome[number])
