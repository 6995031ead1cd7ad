"""The record of an export while it is made: how far it has come, that it is alive, and what became of it."""

from __future__ import annotations

import logging
import threading
from datetime import timedelta
from types import TracebackType
from typing import Any

from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone
from xlsxwriter.exceptions import XlsxFileError

from calls.models import Export

from . import files
from .rows import Table

logger = logging.getLogger(__name__)

EVERY = 1.0  # seconds
# An export of which nothing was heard for so long was lost with its process.
ALIVE_WITHIN = timedelta(seconds=10)

State, Failure = Export.State, Export.Failure


class Stopped(Exception):
    """Somebody cancelled the export, or it was given up for lost."""


class Record:
    """Around the making of an export. What ends it is put on record, and whatever there is of a file that is not whole is
    removed."""

    def __init__(self, export: Export) -> None:
        self.export = export
        self.table: Table | None = None
        self._stopped = threading.Event()

    def __enter__(self) -> Record:
        pulse.take_up(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        pulse.let_go(self)
        state, failure = _what_became(error)
        try:
            if not self._end(state, failure) or state != State.DONE:
                files.remove(self.export)
        except (DatabaseError, OSError) as problem:
            # It will be found lost, and its file removed then.
            logger.warning("export %d is %s, which can't be put on record: %s", self.export.pk, state, problem)

    def go_on(self) -> None:
        """Raises: Stopped."""
        if self._stopped.is_set():
            raise Stopped

    def tell(self) -> None:
        """That it is alive, and how far it has come. Raises: one of Django's database errors."""
        if not self._change(alive_at=timezone.now()):
            self._stopped.set()

    def _end(self, state: str, failure: str) -> bool:
        """Returns: whether it had not ended before."""
        file = self.export.file if state == State.DONE else ""
        accounts = sorted(self.table.accounts) if self.table else []
        return self._change(state=state, failure=failure, file=file, accounts=accounts, finished_at=timezone.now())

    def _change(self, **fields: Any) -> bool:
        rows = self.table.rows if self.table else 0
        return Export.objects.filter(pk=self.export.pk, state=State.RUNNING).update(rows=rows, **fields) == 1


def _what_became(error: BaseException | None) -> tuple[str, str]:
    match error:
        case None:
            return State.DONE, ""
        case Stopped() | GeneratorExit():  # the latter: the client went away
            return State.CANCELLED, ""
        case DatabaseError():
            return State.FAILED, Failure.DATABASE
        case OSError() | XlsxFileError():
            return State.FAILED, Failure.DISK
        case _:
            return State.FAILED, Failure.OTHER


class Pulse:
    """Tells of all exports that this process makes; by a thread of its own, since each may be held up by a slow client."""

    def __init__(self) -> None:
        self._records: set[Record] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def take_up(self, record: Record) -> None:
        with self._lock:
            self._records.add(record)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="exports-pulse", daemon=True)
                self._thread.start()

    def let_go(self, record: Record) -> None:
        with self._lock:
            self._records.discard(record)

    def _run(self) -> None:
        pause = threading.Event()
        while records := self._all():
            try:
                for record in records:
                    record.tell()
            except DatabaseError as error:
                logger.warning("the database could not take how far exports have come: %s", error)
            except Exception:
                logger.exception("how far exports have come could not be told; trying again")
            finally:
                connection.close()
            pause.wait(EVERY)

    def _all(self) -> list[Record]:
        with self._lock:
            if not self._records:
                self._thread = None
            return list(self._records)


pulse = Pulse()
