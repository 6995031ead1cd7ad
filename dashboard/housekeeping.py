"""What is done beside the work, a little at a time: by one thread, of one process of all. What asks others, who may be slow,
has a thread of its own."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from django.conf import settings
from django.db import Error as DatabaseError
from django.db import connection

from calls import follow_ups, rollups, search
from calls.contacts import avatars, names
from calls.locks import Lock, lock
from calls.models import Call
from calls.retention import Purging

from .exports import tidying
from .exports.tidying import tidy_exports, tidy_folder

logger = logging.getLogger(__name__)

A_DAY = 24 * 60 * 60.0  # seconds
MANY_CALLS = 100_000

LOOKED_EVERY = 0.5  # seconds
PAUSE = 0.02  # seconds between two steps, in which others get at the database
STEPS_IN_A_ROW = 50  # so that a long job keeps no other waiting


@dataclass
class Job:
    """`step` does a little, in a short transaction, and returns whether there is more to do at once."""

    step: Callable[[], bool]
    every: float  # seconds
    everywhere: bool = False  # by each process; else by one process of all
    due: float = 0.0  # by the monotonic clock


def refresh_statistics() -> bool:
    """Have SQLite learn how its tables have grown, without which it chooses slow ways through millions of rows. What it
    learnt of small ones would mislead it once they have grown. PostgreSQL does all that by itself."""
    if connection.vendor == "sqlite" and Call.objects.filter(pk__gte=MANY_CALLS).exists():
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA analysis_limit = 1000")  # rows of each index: takes milliseconds
            cursor.execute("ANALYZE")
    return False


JOBS: list[Job] = [
    Job(refresh_statistics, every=A_DAY),
    Job(search.index_some, every=5),
    Job(Purging().step, every=3600.0),
    Job(follow_ups.Sweep().step, every=follow_ups.EVERY),
    Job(tidy_exports, every=tidying.EVERY),
    Job(tidy_folder, every=tidying.FOLDER_EVERY, everywhere=True),
    Job(rollups.count_next, every=60),
]
LOOK_UPS: list[Job] = [Job(names.Asking().ask_next, every=1), Job(avatars.fetch_next, every=1)]


class Housekeeping:
    """name: of the thread, and of the lock by which one process of all has its jobs."""

    def __init__(self, jobs: list[Job], name: str = "housekeeping") -> None:
        self._jobs = jobs
        self._name = name
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        if not self._jobs:
            return
        self._stopping.clear()
        self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def stop(self, within: float | None = None) -> None:
        """Returns once the step that is being done has ended, or after so many seconds."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join(within)

    def _run(self) -> None:
        keys = lock(self._name)
        try:
            while not self._stopping.wait(LOOKED_EVERY):
                self._do_what_is_due(keys)
        finally:
            keys.release()

    def _do_what_is_due(self, keys: Lock) -> None:
        try:
            ours = _are_ours(keys)
            for job in self._jobs:
                if time.monotonic() >= job.due and (ours or job.everywhere):
                    self._do(job, keys)
        finally:
            connection.close()  # a database that was away is found anew

    def _do(self, job: Job, keys: Lock) -> None:
        try:
            for _ in range(STEPS_IN_A_ROW):
                if not job.step():
                    job.due = time.monotonic() + job.every
                    return
                if self._stopping.wait(PAUSE) or not (job.everywhere or _are_ours(keys)):
                    return
        except DatabaseError as error:
            logger.warning("%s: the database could not take it; trying again: %s", job.step.__qualname__, error)
            job.due = time.monotonic() + job.every
        except Exception:
            logger.exception("%s failed; trying again", job.step.__qualname__)
            job.due = time.monotonic() + job.every


def _are_ours(keys: Lock) -> bool:
    """Whether this process is the one that does it. One that is cut off from the database no longer is."""
    try:
        return keys.take()
    except (DatabaseError, OSError):
        return False


housekeeping = Housekeeping(JOBS)
look_ups = Housekeeping(LOOK_UPS if settings.LOOK_UP_CONTACTS else [], "look-ups")
