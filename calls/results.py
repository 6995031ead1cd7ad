"""The results of rejects: put on record at once, or as soon as the database takes them.

There are never many to keep: a reject comes this far only after the database took its claim. Each can be saved twice, and
is saved in order, so that nothing depends on whether a save that seemed to fail did.
"""

from __future__ import annotations

import logging
import threading
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, InternalError, OperationalError, connection, transaction

from . import patience
from .live import publish
from .models import Attempt, Call
from .push.pushing import pushing

logger = logging.getLogger(__name__)

# Locked, restarting or out of reach, or (InternalError) only a standby now: the same may succeed later.
DATABASE_AWAY = (OperationalError, InterfaceError, InternalError)
AGAIN_AFTER = 1.0  # seconds
ANSWERED = ["result", "errcode", "message", "answer", "answered_at", "milliseconds"]


@dataclass(frozen=True)
class Result:
    """What one claim has come to: its attempts, oldest first, as they are known here."""

    call_id: int
    claimed_until: datetime
    attempts: list[Attempt]

    @patience.within(patience.HURRIED)
    @transaction.atomic
    def save(self) -> None:
        """The attempts first, since the call's outcome is what they add up to. Raises: one of DATABASE_AWAY."""
        for attempt in self.attempts:
            attempt.save(update_fields=ANSWERED)
        Call.objects.settle(self.call_id, self.claimed_until)


class Record:
    """Puts results on record. What the database doesn't take is kept here, and tried again by one thread until it does."""

    def __init__(self) -> None:
        self._kept: list[Result] = []
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def put(self, result: Result) -> bool:
        """Save this and show it. Returns: whether it is on record now; otherwise it will be, and is logged meanwhile."""
        try:
            result.save()
        except DATABASE_AWAY:
            connection.close_if_unusable_or_obsolete()
            _log_evidence(result)
            self._keep(result)
            return False
        _show(result.call_id)
        return True

    def kept_of(self, call_id: int) -> list[Result]:
        """What this process knows of a call, and the database doesn't yet."""
        with self._lock:
            return [result for result in self._kept if result.call_id == call_id]

    def stop(self) -> None:
        """Try what is kept for the last time. For the end of the process."""
        self._stopping.set()
        if (thread := self._thread) is not None:
            thread.join()
        self._stopping.clear()

    def _keep(self, result: Result) -> None:
        with self._lock:
            self._kept.append(result)
            if self._thread is None:
                # A daemon: a process that must end does not wait for a database that may never come back.
                self._thread = threading.Thread(target=self._save_what_is_kept, name="results", daemon=True)
                self._thread.start()

    def _save_what_is_kept(self) -> None:
        while (result := self._first()) is not None:
            for_the_last_time = self._stopping.is_set()
            if _done_with(result):
                with self._lock:
                    self._kept.remove(result)
            elif for_the_last_time:
                return self._give_up()
            else:
                self._stopping.wait(AGAIN_AFTER)
        return None

    def _first(self) -> Result | None:
        with self._lock:
            if not self._kept:
                self._thread = None
            return self._kept[0] if self._kept else None

    def _give_up(self) -> None:
        with self._lock:
            logger.error("%d results of rejects are not on record; the lines above tell them", len(self._kept))
            self._kept.clear()
            self._thread = None


def _done_with(result: Result) -> bool:
    """Whether this needs no further try. Gives back its connection, so that each try finds the database anew."""
    try:
        result.save()
    except DATABASE_AWAY:
        return False
    except Exception:
        logger.exception("the result of a reject can't be put on record")
    else:
        logger.warning("call %d: the result of a reject is on record now", result.call_id)
        _show(result.call_id)
    finally:
        connection.close()
    return True


def _show(pk: int) -> None:
    publish.calls_changed([pk])
    pushing.calls_changed([pk])


def _log_evidence(result: Result) -> None:
    """So that the answer is known even if the process dies before it can be saved."""
    for attempt in result.attempts:
        logger.error(
            "the database can't be written to; kept for later: call %d, attempt %d: %s, errcode %s, %s ms",
            result.call_id, attempt.pk, attempt.result, attempt.errcode or "-", attempt.milliseconds,
        )  # fmt: skip


record = Record()
