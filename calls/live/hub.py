"""The hub: one per process, between the channel layer and the open sockets.

It takes changes from the layer, lets what arrives meanwhile gather, has everything rendered once, and puts each text into
the queue of each socket that may see it. All of it in one task, one round after the other, so that an older card can never
overtake a newer one.

Channel layers lose messages without a word, so what was drawn is compared with the database every few seconds, and pages are
told that they are live only while what hubs report arrives (`pulse.py`).
"""

from __future__ import annotations

import asyncio
import contextlib
import heapq
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, TypeVar

from channels.layers import get_channel_layer
from django.db import close_old_connections, connection
from django.utils import timezone

from .. import backlog, metrics, patience
from ..models.person import Sight
from . import checks, publish, pulse, render
from .checks import Assignments, Versions
from .frames import Text
from .people import Online
from .presence import People, Presence
from .pulse import Pulse, Report
from .receipts import Receipts
from .render import Asides, Audience, Rendered
from .sockets import SIGNED_OUT, SILENT, Socket

logger = logging.getLogger(__name__)

BEAT_EVERY = 2.0  # seconds
BEATS_APART = 20  # parts of that time, in each of which some pages hear the beat
BOARDS_RENEWED_EVERY = 5.0  # seconds; those that can't show everything
RIGHTS_CHECKED_EVERY = 1.0  # seconds
CALLS_COMPARED_EVERY = 1.5  # seconds
TRUSTED_FOR = 6.0  # seconds after rights and calls were last compared
SUBSCRIBED_WITHIN = 5.0  # seconds
SUBSCRIPTION_RENEWED_EVERY = 60.0  # seconds; channel layers let subscriptions expire after a day
SILENCE_ALLOWED = 20.0  # seconds, of pages that have spoken
CANCELLED_AGAIN_AFTER = 2.0  # seconds
# Seconds. Where calls come faster than they are drawn and sent, the hub rests after each round for as long as that took:
# callbacks and clicks get their turn, and what comes meanwhile is sent to each page at once, which costs much less.
LONGEST_REST = 0.05
# Seconds. What stands beside the cards is drawn anew soon after it changed, in one go with what else changes meanwhile; who
# loads a page anew has not gone. And now and then it is drawn and compared in any case, as calls are.
ASIDES_DRAWN_AFTER = 0.5
GONE_AFTER = 1.5
ASIDES_COMPARED_EVERY = 5.0

T = TypeVar("T")


class Hub:
    def __init__(self) -> None:
        self._sockets: set[Socket] = set()
        self._newcomers: set[Socket] = set()  # wait for a whole board
        self._cut_short: set[Socket] = set()  # were sent a board that leaves ringing calls out
        self._changed: set[int] = set()
        self._deadlines: dict[int, datetime] = {}
        self._by_time: list[tuple[datetime, int]] = []
        self._numbers: Counter[Audience] = Counter()  # of the texts with cards or asides that each was sent
        self._asides: dict[Audience, Asides] = {}  # as every page that has a board shows them
        self._asides_drawn_at = self._asides_due_at = 0.0  # by the event loop's clock
        self._joined = 0  # sockets, ever
        self._beaten_until = 0  # in parts of BEAT_EVERY
        self._assignments: Assignments | None = None  # as the boards that were sent show them
        self._drawn: Versions | None = None  # of active calls, as every page shows them at least; None: there is no page
        self._missed: set[int] = set()  # calls that were found to be drawn otherwise than they are, at the last comparison
        self._receipts = Receipts()
        self._pulse = Pulse()
        self._presence = Presence()
        self._doubtful = False  # whether calls may be known that pages can't be shown
        self._failing: set[str] = set()  # work that failed and has not succeeded since; no page is told that it is live
        self._worked_at: dict[str, float] = {}  # by the event loop's clock, since a query may also hang without an error
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin, in the running event loop."""
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "render")
        publish.bind(asyncio.get_running_loop())
        for work in (self._listen, self._deliver, self._check_rights, self._compare_calls):
            self._worked_at[work.__name__] = _clock()
            self._tasks.append(asyncio.create_task(self._forever(work)))
        self._tasks.append(asyncio.create_task(self._receipts.keep_storing()))

    async def stop(self) -> None:
        await publish.finish()
        await _end(self._tasks)
        await self._presence.say_goodbye()
        await self._pulse.say_goodbye()
        self._tasks.clear()
        await asyncio.get_running_loop().run_in_executor(self._thread, lambda: connection.close())
        self._thread.shutdown()

    def join(self, socket: Socket) -> None:
        """From now on the socket misses nothing; its board is the first thing that it is sent."""
        socket.turn = self._joined % BEATS_APART
        self._joined += 1
        self._sockets.add(socket)
        self._newcomers.add(socket)
        metrics.SOCKETS.set(len(self._sockets))
        self._have_asides_drawn()
        self._wake.set()

    def leave(self, socket: Socket) -> None:
        for group in (self._sockets, self._newcomers, self._cut_short):
            group.discard(socket)
        metrics.SOCKETS.set(len(self._sockets))
        self._asides_due_at = min(self._asides_due_at, _clock() + GONE_AFTER)

    def hear(self, socket: Socket, shown: list[int]) -> None:
        """Take what a page says: that it is there, and which calls it has shown (see `receipts.read`)."""
        socket.heard_at = _clock()
        self._receipts.take(socket.screen, socket.audience.sight, shown)

    def note_look(self, socket: Socket, call: int) -> None:
        """Take which call a page's person looks at (see `presence.read`). Whether they may see it is checked when it is
        shown."""
        socket.heard_at = _clock()
        if socket.looking != call:
            socket.looking = call
            self._have_asides_drawn()

    def online(self) -> Online:
        """Who has a page open, in all processes. For any thread."""
        return self._presence.online()

    async def _forever(self, work: Callable[[], Awaitable[None]]) -> None:
        """Run it, and run it again after an error: while the database or the channel layer is away, and when it is back."""
        while True:
            try:
                await work()
            except Exception:
                self._failing.add(work.__name__)
                logger.exception("the hub's %s failed; trying again in a second", work.__name__)
            await asyncio.sleep(1)

    def _works(self, work: Callable[[], Awaitable[None]]) -> None:
        self._failing.discard(work.__name__)
        self._worked_at[work.__name__] = _clock()

    async def _listen(self) -> None:
        """Take changes from the channel layer, and what other hubs and this one itself report."""
        layer = get_channel_layer()
        assert layer is not None
        async with asyncio.timeout(SUBSCRIBED_WITHIN):
            if self._listen.__name__ in self._failing:
                await layer.flush()  # of this process only: a connection that hangs would go on hanging
            channel = await layer.new_channel("hub")
            await layer.group_add(publish.GROUP, channel)
        self._works(self._listen)
        # What was published before the subscription stood is in the database.
        self._send_whole_boards()
        renew_at = _clock() + SUBSCRIPTION_RENEWED_EVERY
        receiving = asyncio.ensure_future(layer.receive(channel))
        telling = [asyncio.ensure_future(work()) for work in (self._pulse.keep_sending, self._presence.keep_telling)]
        try:
            while True:
                await asyncio.wait([receiving], timeout=pulse.EVERY)
                if receiving.done():
                    self._take(receiving.result())
                    receiving = asyncio.ensure_future(layer.receive(channel))
                self._pulse.check()
                if _clock() >= renew_at:
                    await layer.group_add(publish.GROUP, channel)
                    renew_at = _clock() + SUBSCRIPTION_RENEWED_EVERY
        finally:
            await _end([receiving, *telling])

    def _take(self, message: publish.Change | Report | People) -> None:
        if message["type"] == "change":
            self._note(message)
        elif message["type"] == "people":
            if self._presence.hear(message):
                self._have_asides_drawn()
        elif self._pulse.hear(message):
            self._send_whole_boards()
        elif self._newcomers:
            self._wake.set()  # they may have waited for it

    def _note(self, change: publish.Change) -> None:
        if change["boards"]:
            self._send_whole_boards()
        if change.get("asides"):
            self._have_asides_drawn()
        if self._sockets:  # without pages there is nothing to do, and their first board will be read from the database
            self._changed.update(change["calls"])
            self._wake.set()

    def _send_whole_boards(self) -> None:
        self._newcomers |= self._sockets
        self._wake.set()

    def _have_asides_drawn(self) -> None:
        """Soon, since they may be different."""
        self._asides_due_at = min(self._asides_due_at, self._asides_drawn_at + ASIDES_DRAWN_AFTER)

    async def _deliver(self) -> None:
        """Rounds of fetching, rendering and queueing. A page hears that it is live only after all that it was to be sent."""
        renew_at = _clock() + BOARDS_RENEWED_EVERY
        while True:
            await self._something_to_do()
            self._note_doubts()
            if self._boards_are_due():
                await self._deliver_boards()
            if self._changed:
                began = _clock()
                await self._deliver_cards()
                if self._changed:
                    await asyncio.sleep(min(_clock() - began, LONGEST_REST))
            if _clock() >= self._asides_due_at:
                await self._deliver_asides()
            self._works(self._deliver)
            self._beat()
            if _clock() >= renew_at:
                self._newcomers |= self._cut_short
                renew_at = _clock() + BOARDS_RENEWED_EVERY

    def _boards_are_due(self) -> bool:
        """Not before it is known whether the channel layer brings anything: the first board would be a doubtful one."""
        return bool(self._newcomers) and (self._pulse.has_come_back or bool(self._failing))

    def _note_doubts(self) -> None:
        """While there are any, all that pages are sent says so. Afterwards they get a fresh board."""
        doubtful = not self._can_know_all()
        if self._doubtful and not doubtful:
            self._send_whole_boards()
        self._doubtful = doubtful

    def _can_know_all(self) -> bool:
        """Whether what is published arrives here, and nothing waits on disk, in whichever process."""
        listens = self._listen.__name__ not in self._failing
        return listens and self._pulse.is_well and not backlog.waiting().callbacks

    def _can_be_trusted(self) -> bool:
        """Whether pages show all that there is, or else that there are doubts: nothing else fails, and nothing hangs."""
        checked = (self._worked_at[work.__name__] for work in (self._check_rights, self._compare_calls))
        return not self._failing - {self._listen.__name__} and _clock() - min(checked) < TRUSTED_FOR

    async def _something_to_do(self) -> None:
        """Wait until a change or a newcomer arrives, a card changes by the clock, or a beat is due."""
        if not self._changed and not self._boards_are_due():
            due = (self._beaten_until + 1) * BEAT_EVERY / BEATS_APART - _clock()
            if self._by_time:
                due = min(due, (self._by_time[0][0] - timezone.now()).total_seconds())
            if due > 0:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(due):
                        await self._wake.wait()
        self._wake.clear()
        while self._by_time and self._by_time[0][0] <= timezone.now():
            at, pk = heapq.heappop(self._by_time)
            if self._deadlines.get(pk) == at:
                del self._deadlines[pk]
                if self._sockets:
                    self._changed.add(pk)

    async def _deliver_boards(self) -> None:
        await self._note_assignments()
        if not {socket.audience for socket in self._newcomers} <= self._asides.keys():
            await self._deliver_asides()
        newcomers, self._newcomers = self._newcomers, set()
        try:
            if self._drawn is None:
                self._drawn = await self._in_thread(checks.active_versions)
            rendered = await self._in_thread(render.boards, {socket.audience for socket in newcomers})
        except BaseException:
            self._newcomers |= newcomers & self._sockets
            raise
        self._note_deadlines(rendered)
        texts = self._numbered(
            {audience: board + "".join(self._asides.get(audience, ())) for audience, board in rendered.texts.items()}
        )
        for socket in newcomers & self._sockets:
            if socket.audience not in texts:  # its rights changed meanwhile
                self._newcomers.add(socket)
                continue
            socket.put(texts[socket.audience])
            (self._cut_short.add if socket.audience in rendered.cut_short else self._cut_short.discard)(socket)

    async def _deliver_asides(self) -> None:
        """Draw what stands beside the cards, and send it to whom it is different from what they were sent.

        Cards don't wait for it: what fails here is tried again, and keeps nothing else back.
        """
        self._asides_drawn_at = _clock()
        self._asides_due_at = self._asides_drawn_at + ASIDES_COMPARED_EVERY
        self._presence.note(self._sockets)
        metrics.PEOPLE.set(len(self.online()))
        audiences = {socket.audience for socket in self._sockets}
        try:
            drawn = await self._in_thread(render.asides, self.online(), audiences) if audiences else {}
        except Exception:
            logger.exception("what stands beside the cards could not be drawn; it is tried again")
            return
        sockets = self._sockets - self._newcomers
        changed = {audience: self._differing(audience, drawn) for audience in {socket.audience for socket in sockets}}
        self._asides = drawn
        self._numbers.update(audience for audience, text in changed.items() if text)
        texts = self._numbered({audience: text for audience, text in changed.items() if text})
        for socket in sockets:
            if text := texts.get(socket.audience):
                socket.put(text)

    def _differing(self, audience: Audience, drawn: Mapping[Audience, Asides]) -> str:
        sent = self._asides.get(audience, ())
        return "".join(aside for aside in drawn.get(audience, ()) if aside not in sent)

    async def _note_assignments(self) -> None:
        """As the boards that are drawn next will show them. Where they are others than before, everybody gets one."""
        assignments = await self._in_thread(checks.assignments)
        if assignments != self._assignments:
            self._assignments = assignments
            self._newcomers |= self._sockets

    async def _deliver_cards(self) -> None:
        changed, self._changed = self._changed, set()
        sockets = self._sockets - self._newcomers
        try:
            rendered = await self._in_thread(render.cards, changed, {socket.audience for socket in sockets})
        except BaseException:
            self._changed |= changed
            raise
        self._note_deadlines(rendered)
        self._note_versions(changed, rendered)
        self._numbers.update(rendered.texts.keys())
        texts = self._numbered(rendered.texts)
        # Whoever came, or sees something else, since then is sent a board next, and no card before it.
        for socket in sockets & (self._sockets - self._newcomers):
            if text := texts.get(socket.audience):
                socket.put(text)

    def _numbered(self, texts: Mapping[Audience, str]) -> dict[Audience, Text]:
        now = timezone.now()
        return {
            audience: Text(text + render.beat(now, self._numbers[audience], self._doubtful))
            for audience, text in texts.items()
        }

    def _note_deadlines(self, rendered: Rendered) -> None:
        for pk, at in rendered.changes_at.items():
            if at is None:
                self._deadlines.pop(pk, None)
            elif self._deadlines.get(pk) != at:
                self._deadlines[pk] = at
                heapq.heappush(self._by_time, (at, pk))

    def _note_versions(self, changed: Iterable[int], rendered: Rendered) -> None:
        if self._drawn is not None:
            for pk in changed:
                self._drawn.pop(pk, None)
            self._drawn |= rendered.versions

    def _beat(self) -> None:
        """Show the pages whose turn it is that they are live, and close those that no longer answer.

        Not all at once: each answers with what it has shown, and a call that came just then would wait for all of that.
        """
        sockets = self._whose_turn_it_is()
        if self._can_be_trusted():
            texts = self._numbered(dict.fromkeys({socket.audience for socket in sockets}, ""))
            for socket in sockets - self._newcomers:
                socket.put(texts[socket.audience])
        for socket in sockets:
            if socket.heard_at is not None and _clock() - socket.heard_at > SILENCE_ALLOWED:
                socket.close(SILENT)

    def _whose_turn_it_is(self) -> set[Socket]:
        now = int(_clock() * BEATS_APART / BEAT_EVERY)
        turns = {part % BEATS_APART for part in range(max(self._beaten_until, now - BEATS_APART) + 1, now + 1)}
        self._beaten_until = now
        return {socket for socket in self._sockets if socket.turn in turns} if turns else set()

    async def _check_rights(self) -> None:
        """Close the sockets of people who may no longer look, and give a new board to those who see something else now.

        Asked of the database, not told: whatever process or command changed it, it is found within a second.
        """
        while True:
            await asyncio.sleep(RIGHTS_CHECKED_EVERY)
            if self._sockets:
                sockets = list(self._sockets)
                rights, assignments = await self._in_thread(lambda: (checks.rights(sockets), checks.assignments()))  # noqa: B023
                self._apply(rights, sockets)
                audiences = {socket.audience for socket in self._sockets}
                self._numbers = Counter({audience: self._numbers[audience] for audience in audiences})
                if assignments != self._assignments:
                    self._assignments = assignments
                    self._send_whole_boards()
            else:
                self._assignments = None
            self._works(self._check_rights)

    async def _compare_calls(self) -> None:
        """Draw again what pages show otherwise than it is: what was published got lost.

        Only what differs twice in a row, since the first time it may be on its way.
        """
        while True:
            await asyncio.sleep(CALLS_COMPARED_EVERY)
            if self._sockets and self._drawn is not None:
                active = await self._in_thread(checks.active_versions)
                missed = checks.differing(self._drawn, active) if self._drawn is not None else set()
                if lost := missed & self._missed:
                    logger.warning("%d changed calls had not been sent to the pages; sent now", len(lost))
                    self._changed |= lost
                    self._wake.set()
                self._missed = missed - self._missed
            else:
                self._drawn = None
            self._works(self._compare_calls)

    def _apply(self, rights: Mapping[Socket, Sight], sockets: Iterable[Socket]) -> None:
        for socket in sockets:
            sight = rights.get(socket)
            if sight is None:
                socket.close(SIGNED_OUT)
            elif sight != socket.audience.sight:
                socket.audience = Audience(sight, socket.audience.language)
                self._newcomers.add(socket)
                self._wake.set()

    async def _in_thread(self, work: Callable[..., T], *arguments: object) -> T:
        """Do what queries or takes long in the hub's own thread; the event loop goes on meanwhile."""

        def with_fresh_connection() -> T:
            close_old_connections()  # also those of a database that was moved away, or is another one now
            with patience.within(patience.HURRIED):
                return work(*arguments)

        return await asyncio.get_running_loop().run_in_executor(self._thread, with_fresh_connection)


async def _end(tasks: Iterable[asyncio.Future[Any]]) -> None:
    """Cancel them until they end. The client of Redis waits by `asyncio.wait_for`, which swallows a cancellation that comes
    just as what it waits for is done."""
    going_on = set(tasks)
    while going_on:
        for task in going_on:
            task.cancel()
        _, going_on = await asyncio.wait(going_on, timeout=CANCELLED_AGAIN_AFTER)


def _clock() -> float:
    return asyncio.get_running_loop().time()


hub = Hub()
