"""Storing what callbacks brought, in time: in the database, or while that is away in the spool, and from there in order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import NamedTuple

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import Error as DatabaseError

from . import backlog, metrics
from .ledger import Fate, Ledger
from .models import Callback
from .receive import Batch, Receipt
from .senders import Opened, Sender
from .spool import Place, Spool
from .vendor import notices
from .writer import Writer, is_away

logger = logging.getLogger(__name__)

# Seconds. The vendor hangs up after 1, and some of that is the network's.
DATABASE_WITHIN = 0.4
SPOOL_WITHIN = 0.4
TRIED_AGAIN_EVERY = 0.5
OTHERS_LOOKED_AFTER_EVERY = 15.0
WORKED_IN_AT_ONCE = 200  # callbacks
BYTES_AT_ONCE = 4 * 1024 * 1024


class NotStored(Exception):
    """Neither the database nor the spool took it in time."""


class AnotherKey(Exception):
    """The spool holds callbacks that were encrypted under another SECRET_KEY; the text says what to do."""


class Letter(NamedTuple):
    """A callback as it came: all that is needed to take it in later."""

    app_id: int
    app_names: tuple[str, str]  # by which it is known again: ours, and the vendor's app_id
    received_at: datetime  # UTC
    address: str
    body: bytes

    def is_to(self, sender: Sender | None) -> bool:
        """Whether this is the vendor app that it came to, and not one of another database with the same id."""
        return sender is not None and bool(set(self.app_names) & {sender.app.name, sender.app.app_id})

    def packed(self) -> bytes:
        head = {
            "app": self.app_id,
            "names": self.app_names,
            "received_at": self.received_at.isoformat(),
            "address": self.address,
        }
        return json.dumps(head).encode() + b"\n" + self.body

    @classmethod
    def unpacked(cls, content: bytes) -> Letter:
        line, _, body = content.partition(b"\n")
        head = json.loads(line)
        received_at = datetime.fromisoformat(head["received_at"])
        return cls(head["app"], (head["names"][0], head["names"][1]), received_at, head["address"], body)


@dataclass(eq=False)
class _Waiting:
    """A callback that isn't known to be stored yet."""

    size: int  # bytes
    letter: Letter | None = None  # these two until it is in the spool
    opened: Opened | None = None
    receipt: asyncio.Future[Receipt] | None = None  # of the writer, where it was asked first and may still store it
    place: asyncio.Future[Place] | None = None  # in the spool, where it has to wait there
    seconds: float | None = None  # until it was answered
    stored: Receipt | None = None  # once it was worked in
    settled: bool = False  # whether it was put on record or set aside otherwise, so that a further try leaves it alone

    def forget_if_kept(self, place: asyncio.Future[Place]) -> None:
        """What is in the spool needs no room in memory."""
        if not place.cancelled() and place.exception() is None:
            self.letter = self.opened = None


@dataclass(eq=False)
class _Piece:
    """A callback that is being worked in."""

    waiting: _Waiting
    place: Place
    letter: Letter
    opened: Opened


class Intake:
    """Start and stop it with the server.

    sender_of: tells the vendor app of an id, or None where there is none; it may raise django.db.Error.
    """

    def __init__(self, sender_of: Callable[[int], Awaitable[Sender | None]]) -> None:
        self._sender_of = sender_of
        self._writer = Writer()
        self._spool = Spool(settings.DATA_DIR)
        # Each callback waits in one of these, in the order in which they came: with the writer, or in the spool.
        self._with_writer: dict[_Waiting, Letter] = {}
        self._backlog: dict[_Waiting, asyncio.Future[Place]] = {}
        self.ledger = Ledger(self._writer.do)

    async def start(self) -> None:
        """Raises: AnotherKey; OSError where the spool can't be opened."""
        left_over = await self._spool.open()
        if left_over:
            try:
                await self._check_key(left_over[0])
            except AnotherKey:
                await self._spool.close()
                raise
        self._writer.start()
        self.ledger.start()
        self._wake = asyncio.Event()
        self._take_over(left_over)
        self._working_in = asyncio.create_task(self._keep_working_in())

    async def stop(self) -> None:
        """Store what can be stored; what the database can't take stays in the spool."""
        self._working_in.cancel()
        await asyncio.gather(self._working_in, return_exceptions=True)
        await self.ledger.stop()
        await self._writer.stop()
        await self._spool.close()
        backlog.note(0)

    async def take_in(self, letter: Letter, opened: Opened, answered: Callable[[], float]) -> None:
        """Once this returns, what the callback brought is on disk: in the database, or as it came in the spool.

        answered: tells the seconds since it came. Raises: NotStored.
        """
        batch = opened.batch
        if not (batch.calls or batch.ends or batch.unread):
            fate = fate_of(letter, opened)
            fate.seconds = answered()
            self.ledger.note(fate)
            self.ledger.note_notices(letter.app_id, letter.received_at, opened.accounts, opened.samples)
            return
        waiting = _Waiting(len(letter.body), letter, opened)
        found = self._put_aside(waiting, letter) if self._backlog else await self._ask_writer(waiting, letter, opened)
        if not isinstance(found, Receipt):
            await self._wait_for_spool(found)
        waiting.seconds = answered()
        if isinstance(found, Receipt) and waiting.place is None:  # whatever is in the spool is noted when it is worked in
            self._note(letter, opened, found, waiting.seconds)

    async def _wait_for_spool(self, place: asyncio.Future[Place]) -> None:
        await asyncio.wait([place], timeout=SPOOL_WITHIN)
        if not place.done() or place.exception():
            logger.error("the spool did not take a callback: %s", place.exception() if place.done() else "too slow")
            raise NotStored

    async def _ask_writer(self, waiting: _Waiting, letter: Letter, opened: Opened) -> Receipt | asyncio.Future[Place]:
        """Returns: what was stored, if it was in time, else its place in the spool.

        Raises: NotStored, for a bad batch that could not even be kept as unread.
        """
        waiting.receipt = self._writer.submit(opened.batch)
        self._with_writer[waiting] = letter
        try:
            # Waited for, not timed out: a timeout would cancel it, and the batch may be stored in any case.
            await asyncio.wait([waiting.receipt], timeout=DATABASE_WITHIN)
            error = waiting.receipt.exception() if waiting.receipt.done() else TimeoutError()
            if error is None:
                return waiting.receipt.result()
            if waiting.place is None and not (is_away(error) or isinstance(error, TimeoutError)):
                with contextlib.suppress(DatabaseError, TimeoutError):  # away by now: found out again, from the spool
                    async with asyncio.timeout(DATABASE_WITHIN):
                        return await self._keep_as_unread(letter, opened, error)
            return waiting.place or self._put_all_aside(waiting)
        except NotStored:
            self._note_lost(letter)
            raise
        finally:
            self._with_writer.pop(waiting, None)

    def _put_aside(self, waiting: _Waiting, letter: Letter) -> asyncio.Future[Place]:
        """Have it wait in the spool. Nothing is awaited here, so that whatever comes next comes after it."""
        waiting.place = place = asyncio.ensure_future(self._spool.append(letter.packed()))
        place.add_done_callback(waiting.forget_if_kept)
        self._backlog[waiting] = place
        backlog.note(len(self._backlog))
        self._wake.set()
        return place

    def _put_all_aside(self, waiting: _Waiting) -> asyncio.Future[Place]:
        """The writer is late with this one. Those that it was asked for afterwards are put behind it, before any that come
        from now on."""
        late = {other: letter for other, letter in self._with_writer.items() if not other.place}
        return {other: self._put_aside(other, letter) for other, letter in late.items()}[waiting]

    async def _keep_as_unread(self, letter: Letter, opened: Opened, error: BaseException) -> Receipt:
        """What the database refuses, though it is there, is kept for somebody to look at and replay.

        Raises: NotStored; django.db.Error where the database is away now.
        """
        why = f"it could not be stored: {type(error).__name__}"
        kept = Batch(letter.app_id, letter.received_at, 0, unread=letter.body, unread_reason=why)
        if 0 < len(opened.samples) < notices.SAMPLES:  # these are all of its notices of calls: then no chat is kept
            kept = kept._replace(unread=json.dumps(opened.samples).encode(), unread_opened=True)
        try:
            return await self._writer.submit(kept)
        except Exception as again:
            if is_away(again):
                raise
            raise NotStored from again

    def _take_over(self, left_over: Sequence[Place]) -> None:
        """What is in the spool already has to be worked in."""
        for place in left_over:
            known: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
            known.set_result(place)
            self._backlog[_Waiting(place.length, place=known)] = known
        if left_over:
            logger.warning("%d callbacks wait in the spool and are worked in now", len(left_over))
            backlog.note(len(self._backlog))
            self._wake.set()

    async def _something_waits(self) -> None:
        """Until something does: of this process, or of one of this server's that has ended in order, but without having been
        able to store all. One that takes the place of another started before that ended."""
        while not self._wake.is_set():
            try:
                async with asyncio.timeout(OTHERS_LOOKED_AFTER_EVERY):
                    await self._wake.wait()
            except TimeoutError:
                try:
                    self._take_over(await self._spool.adopt())
                except OSError:
                    logger.exception("what other processes left in the spool could not be taken over; trying again")
        self._wake.clear()

    async def _keep_working_in(self) -> None:
        while True:
            await self._something_waits()
            while self._backlog:
                try:
                    await self._work_in(self._first_of_backlog())
                except Exception as error:
                    if not is_away(error):
                        logger.exception("the spool could not be worked in; trying again")
                    await asyncio.sleep(TRIED_AGAIN_EVERY)
            await self._empty_spool()

    def _first_of_backlog(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        for waiting in islice(self._backlog, WORKED_IN_AT_ONCE):
            size += waiting.size
            if group and size > BYTES_AT_ONCE:
                break
            group.append(waiting)
        return group

    async def _work_in(self, group: Sequence[_Waiting]) -> None:
        """Have the first of the backlog stored, and take them out of it.

        Raises: django.db.Error while the database can't take them; then all of them stay.
        """
        pieces = [piece for waiting in group if (piece := await self._piece_of(waiting))]
        missing = [piece for piece in pieces if piece.waiting.stored is None]
        answers = await asyncio.gather(
            *self._writer.submit_group([piece.opened.batch for piece in missing]), return_exceptions=True
        )
        refused = []
        for piece, answer in zip(missing, answers, strict=True):
            if isinstance(answer, BaseException):
                refused.append((piece, answer))
            else:
                piece.waiting.stored = answer
        for piece, error in refused:
            if is_away(error):
                raise error
            await self._keep_at_least(piece, error)
        await self._strike(pieces)
        for waiting in group:
            del self._backlog[waiting]
        backlog.note(len(self._backlog))
        for piece in pieces:
            if piece.waiting.stored:
                self._note(piece.letter, piece.opened, piece.waiting.stored, piece.waiting.seconds, spooled=True)

    async def _piece_of(self, waiting: _Waiting) -> _Piece | None:
        """None for one that can't be worked in. Raises: django.db.Error."""
        if waiting.settled:
            return None
        if waiting.receipt and waiting.stored is None:
            await asyncio.wait([waiting.receipt])
            if waiting.receipt.exception() is None:
                waiting.stored = waiting.receipt.result()
        try:
            place = await self._backlog[waiting]
        except Exception:
            self._note_without_spool(waiting)
            return None
        waiting.size = place.length
        try:
            letter = Letter.unpacked(await self._spool.read(place))
        except (OSError, InvalidToken, ValueError):
            logger.exception("a callback in the spool can't be read")
            await self._set_aside(waiting, place)
            return None
        sender = await self._sender_of(letter.app_id)
        if sender is None:
            why = "nothing is known of its vendor app any more that could open it"
            batch = Batch(letter.app_id, letter.received_at, 0, unread=letter.body, unread_reason=why)
            return _Piece(waiting, place, letter, Opened(batch))
        if not letter.is_to(sender):
            logger.error("a callback in the spool came to a vendor app of another database")
            await self._set_aside(waiting, place)
            return None
        return _Piece(waiting, place, letter, await sender.open_aside(letter.body, letter.received_at))

    def _note_without_spool(self, waiting: _Waiting) -> None:
        """The spool did not take it. If the writer stored it late, that is what the log says."""
        waiting.settled = True
        if waiting.letter and waiting.opened:
            if waiting.stored:
                self._note(waiting.letter, waiting.opened, waiting.stored, waiting.seconds)
            else:
                self._note_lost(waiting.letter)

    async def _keep_at_least(self, piece: _Piece, error: BaseException) -> None:
        try:
            piece.waiting.stored = await self._keep_as_unread(piece.letter, piece.opened, error)
        except NotStored:
            logger.exception("a callback to vendor app %s can't be stored", piece.letter.app_id)
            await self._set_aside(piece.waiting, piece.place)

    async def _set_aside(self, waiting: _Waiting, place: Place) -> None:
        waiting.settled = True
        try:
            await self._spool.set_aside(place)
        except OSError:
            logger.exception("a callback was lost: it could not be set aside")
        else:
            logger.error("it was set aside, and is tried again at the next start")

    async def _strike(self, pieces: Sequence[_Piece]) -> None:
        """Have the spool remember that these were worked in; else the next start does it again, and finds it done."""
        try:
            await self._spool.strike([piece.place for piece in pieces])
        except OSError:
            logger.exception("callbacks that were stored could not be struck off the spool")

    async def _empty_spool(self) -> None:
        try:
            await self._spool.clear()
        except OSError:
            logger.exception("the spool could not be emptied; what is in it is worked in again at the next start")

    async def _check_key(self, place: Place) -> None:
        try:
            await self._spool.read(place)
        except InvalidToken:
            raise AnotherKey(
                f"callbacks wait in {settings.DATA_DIR} that were encrypted under another SECRET_KEY. "
                "Start with that key once, or move the files spool.* away."
            ) from None

    def _note_lost(self, letter: Letter) -> None:
        self.ledger.note(Fate(Callback.Result.NOT_STORED, letter.received_at, letter.address, letter.app_id))

    def _note(self, letter: Letter, opened: Opened, stored: Receipt, seconds: float | None, spooled: bool = False) -> None:
        """Put it on record what became of a callback."""
        metrics.CALLS.labels("new").inc(len(stored.stored))
        metrics.CALLS.labels("pushed_again").inc(stored.duplicates)
        fate = fate_of(letter, opened)
        fate.calls, fate.duplicates, fate.ends = len(stored.stored), stored.duplicates, len(stored.ended)
        fate.body_id, fate.spooled, fate.seconds = stored.kept, spooled, seconds
        if stored.kept:
            fate.result = Callback.Result.UNREADABLE
        self.ledger.note(fate)
        self.ledger.note_notices(letter.app_id, letter.received_at, opened.accounts, opened.samples)


def fate_of(letter: Letter, opened: Opened) -> Fate:
    """What can be said of a callback before anything is stored."""
    return Fate(
        Callback.Result.READ,
        letter.received_at,
        letter.address,
        letter.app_id,
        chats=opened.chats,
        others=opened.others,
        reason=opened.batch.unread_reason,
    )
