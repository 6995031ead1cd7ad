"""Receipts: which calls were really shown, and on how many screens. Pages tell; it is checked, counted and stored.

A screen is a browser tab. Each counts once for a call, and once more among those with sound. A thousand pages that are shown
fifty calls a second tell fifty thousand of these, so an object for each would be most of the work.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import reduce
from operator import or_
from typing import NamedTuple

from django.db import close_old_connections
from django.utils import timezone

from .. import patience
from ..among import among
from ..models import Call
from ..models.call import Confirmation
from ..models.person import Sight
from ..prepared import LARGEST_ID

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 16 * 1024  # characters
LONGEST_AGO = 24 * 60 * 60 * 1000  # ms
MOST_TOLD = 200_000  # calls on screens, that wait to be stored
STORED_EVERY = 1.0  # seconds
SCREENS_KEPT = 1000  # that have no call, before they are forgotten
# How long after its ring window a call is still confirmed: a page may have been cut off when it showed it.
LATEST = timedelta(seconds=30)


class Told(NamedTuple):
    """What one page says: which calls it has shown since it last said so."""

    screen: str
    sight: Sight
    heard_at: float  # seconds since 1970
    shown: list[int]  # three numbers for each call: its id, how many ms ago, and whether with sound


def read(message: str) -> list[int] | None:
    """`Told.shown`, of a message `{"shown": [[id, ms, 0 or 1], …]}`. None for what no page of ours would say."""
    if len(message) > LONGEST_MESSAGE:
        return None
    shown: list[int] = []
    try:
        for call, ago, sound in json.loads(message)["shown"]:
            if type(call) is not int or type(ago) is not int or not 0 < call <= LARGEST_ID or sound not in (0, 1):
                return None
            shown += (call, min(max(ago, 0), LONGEST_AGO), sound)
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return shown


class Receipts:
    """Takes what pages tell in the event loop, and has it stored about once a second.

    In a thread of its own: while somebody else holds the database, cards must still be drawn, and while very much is looked
    through, callbacks must be answered.
    """

    def __init__(self) -> None:
        self._told: list[Told] = []
        self._waiting = 0  # calls in these
        self._book = Book()

    def take(self, screen: str, sight: Sight, shown: list[int]) -> None:
        """Note what somebody who sees this was shown on this screen. What they may see is checked when it is stored."""
        if shown:
            self._keep([Told(screen, sight, timezone.now().timestamp(), shown)])

    async def keep_storing(self) -> None:
        with ThreadPoolExecutor(1, "receipts") as thread:
            try:
                while True:
                    await asyncio.sleep(STORED_EVERY)
                    await self._try_to_store(thread)
            finally:
                await self._try_to_store(thread)

    def _keep(self, told: Iterable[Told]) -> None:
        for one in told:
            if self._waiting < MOST_TOLD:
                self._told.append(one)
                self._waiting += len(one.shown) // 3

    async def _try_to_store(self, thread: ThreadPoolExecutor) -> None:
        told, self._told, self._waiting = self._told, [], 0
        if not told:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._store, told)
        except Exception:
            logger.exception("%d receipts could not be stored; trying again", len(told))
            self._keep(told)

    @patience.within(patience.HURRIED)
    def _store(self, told: list[Told]) -> None:
        close_old_connections()
        self._book.enter(told)


@dataclass(slots=True)
class _Ringing:
    """A call that pages tell of, and the screens that count for it: a bit for each, by its number."""

    received_at: datetime
    shown_until: float  # seconds since 1970
    told_until: float
    team: int | None
    screens: int = 0
    with_sound: int = 0
    first_at: float = float("inf")

    @classmethod
    def of(cls, received_at: datetime, rings_until: datetime, ended_at: datetime | None, team: int | None) -> _Ringing:
        """It must have been on a screen while it rang. It may well have been over when the page told it, and longer when the
        database takes it."""
        last = rings_until if ended_at is None else min(rings_until, ended_at)
        return cls(received_at, last.timestamp(), (rings_until + LATEST).timestamp(), team)


class _Counted(NamedTuple):
    """The screens that a call has been counted on, until it can't be confirmed any more."""

    until: float  # seconds since 1970
    screens: int = 0
    with_sound: int = 0


class Book:
    """Stores what pages told; used by one thread. Remembers which screens a call was counted on."""

    def __init__(self) -> None:
        self._counted: dict[int, _Counted] = {}
        self._numbers = Numbers()

    def enter(self, told: Iterable[Told]) -> None:
        """Add it to the calls, in one transaction, where those who were shown them may see them.

        Raises: django.db.Error where the database can't take it; then nothing was stored.
        """
        calls = _ringing({pk for one in told for pk in one.shown[::3]})
        for one in told:
            self._add(one, calls)
        Call.objects.confirm_shown(
            confirmation for pk, call in calls.items() if (confirmation := self._confirmation(pk, call)) is not None
        )
        self._count(calls)

    def _add(self, told: Told, calls: dict[int, _Ringing]) -> None:
        bit = self._numbers.bit(told.screen)
        numbers = iter(told.shown)
        for pk, ago, sound in zip(numbers, numbers, numbers, strict=True):
            call = calls.get(pk)
            if call is None or call.team not in told.sight:
                continue
            at = told.heard_at - ago / 1000
            if at <= call.shown_until and told.heard_at <= call.told_until:
                call.screens |= bit
                call.first_at = min(call.first_at, at)
                if sound:
                    call.with_sound |= bit

    def _confirmation(self, pk: int, call: _Ringing) -> Confirmation | None:
        """What is new about it; None where nothing is."""
        counted = self._counted.get(pk, _Counted(0))
        screens, with_sound = call.screens & ~counted.screens, call.with_sound & ~counted.with_sound
        if not screens and not with_sound:
            return None
        shown_at = min(timezone.now(), max(call.received_at, datetime.fromtimestamp(call.first_at, UTC)))
        return Confirmation(pk, call.received_at, shown_at, screens.bit_count(), with_sound.bit_count())

    def _count(self, calls: dict[int, _Ringing]) -> None:
        for pk, call in calls.items():
            if call.screens:
                before = self._counted.get(pk, _Counted(0))
                self._counted[pk] = _Counted(
                    call.told_until, before.screens | call.screens, before.with_sound | call.with_sound
                )
        now = timezone.now().timestamp()
        self._counted = {pk: counted for pk, counted in self._counted.items() if counted.until > now}
        self._numbers.keep(reduce(or_, (counted.screens for counted in self._counted.values()), 0))


class Numbers:
    """A number for each screen that has been counted of late: calls remember screens, which may be very many, by bits."""

    def __init__(self) -> None:
        self._bits: dict[str, int] = {}
        self._free: list[int] = []

    def bit(self, screen: str) -> int:
        if (bit := self._bits.get(screen)) is None:
            bit = self._bits[screen] = self._free.pop() if self._free else 1 << len(self._bits)
        return bit

    def keep(self, bits: int) -> None:
        """Forget the other ones, once there are many: whoever comes next gets their numbers."""
        if len(self._bits) > 2 * bits.bit_count() + SCREENS_KEPT:
            self._free += [bit for bit in self._bits.values() if not bit & bits]
            self._bits = {screen: bit for screen, bit in self._bits.items() if bit & bits}


def _ringing(pks: Iterable[int]) -> dict[int, _Ringing]:
    facts = Call.objects.filter(among(pks)).values_list("pk", "received_at", "rings_until", "ended_at", "account__team")
    return {pk: _Ringing.of(came_at, until, ended_at, team) for pk, came_at, until, ended_at, team in facts}
