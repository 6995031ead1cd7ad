"""Finding out who is to be told of a call that came or is over, and in which words: by one thread of its own.

The process that stored a change has it pushed; what others store, they push. Whoever stores only leaves an id here.
"""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from queue import Empty, Full, Queue
from typing import NamedTuple

from django.db import Error as DatabaseError
from django.db import connection
from django.utils import timezone, translation

from .. import patience
from ..models import Call, PushSubscription
from ..models.person import Sight, sights
from ..prepared import ById
from . import messages
from .delivery import Deliveries, Push
from .messages import Message

logger = logging.getLogger(__name__)

MOST_NOTED = 10_000  # calls
AT_ONCE = 500  # calls
NOBODY_FOR = 2.0  # seconds, after which it is looked again whether somebody subscribed
TOLD_WITHIN = timedelta(seconds=60)  # that a call is over

BY_THE_CLOCK = {Call.Status.MISSED, Call.Status.UNCONFIRMED}  # what calls become when nobody does anything

CALLS = ById(Call.objects.select_related("account__team", "contact", "claimed_by"))


class _Noted(NamedTuple):
    call: int
    came: bool  # or else it may be over


class Pushing:
    def __init__(self) -> None:
        self._noted: Queue[_Noted | None] = Queue(MOST_NOTED)
        self._ends: list[tuple[datetime, int]] = []  # when calls that were told of stop ringing by the clock alone
        self._deliveries = Deliveries()
        self._thread: threading.Thread | None = None
        self._nobody_until = 0.0  # by the monotonic clock; until then nobody has subscribed

    def start(self) -> None:
        self._deliveries.start()
        self._thread = threading.Thread(target=self._run, name="pushing", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Messages that have not left are dropped."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._noted.put(None)
            thread.join()
            self._deliveries.stop()

    def calls_came(self, pks: Iterable[int]) -> None:
        """Have everyone who sees these calls, and wants it, told that they ring. For any thread, after the commit.

        Returns at once and never fails.
        """
        self._note(pks, came=True)

    def calls_changed(self, pks: Iterable[int]) -> None:
        """The same for calls that may be over now: then it is told what became of them."""
        self._note(pks, came=False)

    def somebody_subscribed(self) -> None:
        """The next call is theirs as well. Other processes find out by themselves, within 2 s."""
        self._nobody_until = 0.0

    def _note(self, pks: Iterable[int], came: bool) -> None:
        if self._thread is None or time.monotonic() < self._nobody_until:
            return
        try:
            for pk in pks:
                self._noted.put_nowait(_Noted(pk, came))
        except Full:
            logger.warning("too many calls at once: some are not pushed")

    def _run(self) -> None:
        while (noted := self._next()) is not None:
            try:
                with patience.within(patience.HURRIED):
                    self._look_through(noted)
            except DatabaseError as error:
                logger.warning("%d calls are not pushed, since the database is away: %s", len(noted), error)
            except Exception:
                logger.exception("%d calls could not be pushed", len(noted))
            finally:
                connection.close()

    def _next(self) -> list[_Noted] | None:
        """Wait for what was noted, or until a call stops ringing; None: it is time to stop."""
        noted: list[_Noted] = []
        try:
            while len(noted) < AT_ONCE:
                one = self._noted.get(block=not noted, timeout=self._until_next_end())
                if one is None:
                    return None
                noted.append(one)
        except Empty:
            pass
        return noted

    def _until_next_end(self) -> float | None:
        return max(0.0, (self._ends[0][0] - timezone.now()).total_seconds()) if self._ends else None

    def _look_through(self, noted: Sequence[_Noted]) -> None:
        ended = self._ended()
        subscriptions = PushSubscription.objects.usable()
        if not subscriptions:
            self._ends.clear()
            self._nobody_until = time.monotonic() + NOBODY_FOR
            return
        came = {one.call for one in noted if one.came}
        changed = {one.call for one in noted if not one.came}
        audience = _Audience(subscriptions)
        for call in CALLS.fetch(came | changed | ended):
            if call.pk in came:
                self._tell_that_it_rings(call, audience)
            elif call.is_over and (call.pk in changed or call.status in BY_THE_CLOCK):
                self._tell_that_it_is_over(call, audience)
            elif call.pk in ended and call.changes_at:  # being rejected
                heapq.heappush(self._ends, (call.changes_at, call.pk))

    def _ended(self) -> set[int]:
        now = timezone.now()
        ended = set()
        while self._ends and self._ends[0][0] <= now:
            ended.add(heapq.heappop(self._ends)[1])
        return ended

    def _tell_that_it_rings(self, call: Call, audience: _Audience) -> None:
        if call.status != Call.Status.RINGING:
            return
        told = audience.of(call)
        for subscription in told:
            message = audience.message(messages.ringing, call, subscription.language)
            self._deliveries.put(Push(subscription, message, call.rings_until.timestamp(), is_urgent=True))
        if told:
            heapq.heappush(self._ends, (call.rings_until, call.pk))

    def _tell_that_it_is_over(self, call: Call, audience: _Audience) -> None:
        until = (timezone.now() + TOLD_WITHIN).timestamp()
        for subscription in audience.of(call):
            message = audience.message(messages.over, call, subscription.language)
            self._deliveries.put(Push(subscription, message, until, is_urgent=False))


class _Audience:
    """Those who want to be told, and what each of them sees now; each message is put together once a language."""

    def __init__(self, subscriptions: Sequence[PushSubscription]) -> None:
        self._subscriptions = subscriptions
        self._sight_of: dict[int, Sight] = sights({one.person for one in subscriptions})
        self._messages: dict[tuple[int, str], Message] = {}

    def of(self, call: Call) -> list[PushSubscription]:
        return [
            one
            for one in self._subscriptions
            if call.account.team_id in self._sight_of[one.person_id] and not one.person.is_away
        ]

    def message(self, of: Callable[[Call], Message], call: Call, language: str) -> Message:
        key = (call.pk, language)
        if key not in self._messages:
            with translation.override(language):
                self._messages[key] = of(call)
        return self._messages[key]


pushing = Pushing()
