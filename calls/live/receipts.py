"""Receipts: which calls were really shown, and on how many screens. Pages tell; it is checked, counted and stored.

A screen is a browser tab. Each counts once for a call, and once more among those with sound.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
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

logger = logging.getLogger(__name__)

LONGEST_MESSAGE = 16 * 1024  # characters
LONGEST_AGO = 24 * 60 * 60 * 1000  # ms
LARGEST_ID = 2**63 - 1
MOST_NOTES = 200_000  # that wait to be stored
STORED_EVERY = 1.0  # seconds
SCREENS_KEPT = 1000  # that have no call, before they are forgotten
# How long after its ring window a call is still confirmed: a page may have been cut off when it showed it.
LATEST = timedelta(seconds=30)


class Shown(NamedTuple):
    """One call on a page, as the page tells it."""

    call: int
    ago: int  # ms
    sound: bool


class Note(NamedTuple):
    """One screen's receipt for one call, on its way to the database."""

    sight: Sight
    shown_at: datetime
    heard_at: datetime
    sound: bool
    counted: bool = False  # as a screen already, so that only its sound is new


@dataclass(slots=True)
class Counted:
    """The screens that a call has been counted on, until it can't be confirmed any more: a bit for each, by its number."""

    until: datetime
    screens: int = 0
    with_sound: int = 0


Key = tuple[int, str]  # call and screen


def read(message: str) -> list[Shown] | None:
    """What a page says: which calls it has shown since it last said so. None for what no page of ours would say."""
    if len(message) > LONGEST_MESSAGE:
        return None
    try:
        said = json.loads(message)
        return [_shown(*one) for one in said["shown"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def _shown(call: object, ago: object, sound: object) -> Shown:
    """Raises: ValueError where these are not what they should be."""
    if type(call) is not int or type(ago) is not int or not 0 < call <= LARGEST_ID or sound not in (0, 1):
        raise ValueError
    return Shown(call, min(max(ago, 0), LONGEST_AGO), bool(sound))


class Receipts:
    """Takes notes in the event loop, and has them stored about once a second.

    In a thread of its own: while somebody else holds the database, cards must still be drawn, and while very many are looked
    through, callbacks must be answered.
    """

    def __init__(self) -> None:
        self._notes: dict[Key, Note] = {}
        self._book = _Book()

    def take(self, screen: str, sight: Sight, shown: Iterable[Shown]) -> None:
        """Note what somebody who sees this was shown on this screen. What they may see is checked when it is stored."""
        now = timezone.now()
        for call, ago, sound in shown:
            self._add((call, screen), Note(sight, now - timedelta(milliseconds=ago), now, sound))

    async def keep_storing(self) -> None:
        with ThreadPoolExecutor(1, "receipts") as thread:
            try:
                while True:
                    await asyncio.sleep(STORED_EVERY)
                    await self._try_to_store(thread)
            finally:
                await self._try_to_store(thread)

    def _add(self, key: Key, note: Note) -> None:
        if (known := self._notes.get(key)) is not None:
            self._notes[key] = known._replace(shown_at=min(known.shown_at, note.shown_at), sound=known.sound or note.sound)
        elif len(self._notes) < MOST_NOTES:
            self._notes[key] = note

    async def _try_to_store(self, thread: ThreadPoolExecutor) -> None:
        notes, self._notes = self._notes, {}
        if not notes:
            return
        try:
            await asyncio.get_running_loop().run_in_executor(thread, self._book.enter, notes)
        except Exception:
            logger.exception("%d receipts could not be stored; trying again", len(notes))
            for key, note in notes.items():
                self._add(key, note)


class _Book:
    """Stores notes; used by one thread. Remembers which screens a call was counted on."""

    def __init__(self) -> None:
        self._counted: dict[int, Counted] = {}
        self._numbers = Numbers()

    @patience.within(patience.HURRIED)
    def enter(self, notes: Mapping[Key, Note]) -> None:
        """Raises: django.db.Error where the database can't take them; then none of them was stored."""
        close_old_connections()
        if new := {key: found for key, note in notes.items() if (found := self._if_new(key, note))}:
            self._count(new, store(new))

    def _if_new(self, key: Key, note: Note) -> Note | None:
        call, screen = key
        counted = self._counted.get(call)
        bit = self._numbers.bit(screen)
        if counted is None or not counted.screens & bit:
            return note
        return note._replace(counted=True) if note.sound and not counted.with_sound & bit else None

    def _count(self, notes: Mapping[Key, Note], stored: Mapping[Key, datetime]) -> None:
        for key, rings_until in stored.items():
            call, screen = key
            if (counted := self._counted.get(call)) is None:
                counted = self._counted[call] = Counted(rings_until + LATEST)
            bit = self._numbers.bit(screen)
            counted.screens |= bit
            if notes[key].sound:
                counted.with_sound |= bit
        now = timezone.now()
        self._counted = {call: counted for call, counted in self._counted.items() if counted.until > now}
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


class Ringing(NamedTuple):
    """What says of a call whether it was seen."""

    pk: int
    received_at: datetime
    rings_until: datetime
    ended_at: datetime | None
    team: int | None


def store(notes: Mapping[Key, Note]) -> dict[Key, datetime]:
    """Add these to their calls, in one transaction, where their people may see them.

    Returns: those that count, with the end of their call's ring window. Raises: django.db.Error where the database can't
    take them.
    """
    by_call: defaultdict[int, dict[Key, Note]] = defaultdict(dict)
    for key, note in notes.items():
        by_call[key[0]][key] = note
    found = Call.objects.filter(among(by_call))
    facts = found.values_list("pk", "received_at", "rings_until", "ended_at", "account__team")
    calls = {call.pk: call for call in map(Ringing._make, facts)}
    counting = {pk: some for pk, call in calls.items() if (some := _counting(by_call[pk], call))}
    if counting:
        Call.objects.confirm_shown(_confirmation(calls[pk], some.values()) for pk, some in counting.items())
    return {key: calls[pk].rings_until for pk, some in counting.items() for key in some}


def _counting(notes: Mapping[Key, Note], call: Ringing) -> dict[Key, Note]:
    """Those whose person sees the call, and on whose screen it was while it rang. A call may well have been over when the
    page told it, and longer when the database takes it."""
    last = call.rings_until if call.ended_at is None else min(call.rings_until, call.ended_at)
    latest = call.rings_until + LATEST
    return {
        key: note
        for key, note in notes.items()
        if note.shown_at <= last and note.heard_at <= latest and call.team in note.sight
    }


def _confirmation(call: Ringing, notes: Collection[Note]) -> Confirmation:
    first = min(note.shown_at for note in notes)
    return Confirmation(
        call.pk,
        call.received_at,
        min(timezone.now(), max(call.received_at, first)),
        screens=sum(not note.counted for note in notes),
        with_sound=sum(note.sound for note in notes),
    )
