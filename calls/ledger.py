"""The ledger: what became of each callback and how fast it was answered, gathered in memory and written once a second.

It tells of what happened and is not needed for it to happen: a process that is killed loses the last second of its log, and
no call.
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from bisect import bisect_left
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple, TypeAlias

from django.conf import settings
from django.db import DataError, IntegrityError, connection, transaction
from django.db import Error as DatabaseError
from django.db.models import F, Model
from django.db.models.functions import Greatest
from django.utils import timezone

from . import vault
from .by_hand import as_stored
from .models import Account, AccountTraffic, AnswerTime, Callback, NoticeSample, UnreadBody
from .models.traffic import KEPT_FOR, RANGES, SLOWEST, slot_of
from .vendor.notices import form_of

logger = logging.getLogger(__name__)

WRITTEN_EVERY = 1.0  # seconds
TIDIED_EVERY = timedelta(minutes=10)
MINUTE = timedelta(minutes=1)
WITHIN = (*RANGES, SLOWEST)
ROWS_AT_ONCE = 500  # callbacks with a row of their own in one second; more of them are gathered like the others
SAMPLES_AT_ONCE = 20
ROWS_KEPT_WAITING = 5000  # while the database is away
KINDS_A_MINUTE = 50  # gathered rows; senders beyond that are counted without their address
TRAFFIC_WRITTEN_EVERY = 60.0  # seconds
ROWS_UNTIL_TIDIED = 1000
ACCOUNTS_AT_ONCE = 5000  # whose notices are counted in one second
LONGEST_WXID = 64  # characters
FORMS_REMEMBERED = 10_000

_Account: TypeAlias = tuple[int, str, datetime]  # app, wxid, and the hour

COUNTS = ("callbacks", "calls", "duplicates", "ends", "chats", "others")


@dataclass(slots=True)
class Fate:
    """What became of one callback. The names are those of `Callback`."""

    result: Callback.Result
    received_at: datetime  # UTC
    address: str
    app_id: int | None = None
    calls: int = 0
    duplicates: int = 0
    ends: int = 0
    chats: int = 0
    others: int = 0
    reason: str = ""
    body_id: int | None = None
    spooled: bool = False
    seconds: float | None = None  # until the answer; None where that isn't known any more

    @property
    def stands_alone(self) -> bool:
        """Whether it gets a row of its own."""
        return bool(self.calls or self.duplicates or self.ends or self.body_id or self.spooled)


class _Kind(NamedTuple):
    """Callbacks that are gathered in one row."""

    minute: datetime
    app_id: int | None
    address: str
    result: Callback.Result
    reason: str
    spooled: bool


@dataclass(slots=True)
class _Sum:
    """What the callbacks of one kind come to. The counts have the names of COUNTS."""

    received_at: datetime  # of the first
    seconds: float = 0.0  # of the slowest
    callbacks: int = 0
    calls: int = 0
    duplicates: int = 0
    ends: int = 0
    chats: int = 0
    others: int = 0

    def add(self, fate: Fate) -> None:
        """Written out, since every chat message passes here."""
        if fate.seconds and fate.seconds > self.seconds:
            self.seconds = fate.seconds
        self.callbacks += 1
        self.calls += fate.calls
        self.duplicates += fate.duplicates
        self.ends += fate.ends
        self.chats += fate.chats
        self.others += fate.others

    def add_all(self, other: _Sum) -> None:
        self.received_at = min(self.received_at, other.received_at)
        self.seconds = max(self.seconds, other.seconds)
        for name in COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))


@dataclass
class _Page:
    """What has gathered since it was last written."""

    rows: list[Fate] = field(default_factory=list)
    gathered: dict[_Kind, _Sum] = field(default_factory=dict)
    times: Counter[tuple[int, datetime, int]] = field(default_factory=Counter)
    traffic: Counter[_Account] = field(default_factory=Counter)
    samples: list[tuple[int, datetime, Any]] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.rows or self.gathered or self.times or self.traffic or self.samples)

    def add(self, fate: Fate) -> None:
        if fate.stands_alone and len(self.rows) < ROWS_AT_ONCE:
            self.rows.append(fate)
            return
        minute = slot_of(fate.received_at, MINUTE)
        kind = _Kind(minute, fate.app_id, fate.address, fate.result, fate.reason, fate.spooled)
        self._sum_of(kind, fate.received_at).add(fate)

    def count_notices(self, account: _Account, count: int) -> None:
        """Of one account. Nobody may fill the memory with made-up ones."""
        if account in self.traffic or len(self.traffic) < ACCOUNTS_AT_ONCE:
            self.traffic[account] += count

    def take_back(self, earlier: _Page) -> None:
        """Put what could not be written before what has gathered since."""
        self.rows = (earlier.rows + self.rows)[-ROWS_KEPT_WAITING:]
        for kind, earlier_sum in earlier.gathered.items():
            self._sum_of(kind, earlier_sum.received_at).add_all(earlier_sum)
        for account, count in earlier.traffic.items():
            self.count_notices(account, count)
        self.times.update(earlier.times)
        self.samples = (earlier.samples + self.samples)[:SAMPLES_AT_ONCE]

    def _sum_of(self, kind: _Kind, received_at: datetime) -> _Sum:
        if (known := self.gathered.get(kind)) is not None:
            return known
        if len(self.gathered) >= KINDS_A_MINUTE:
            kind = kind._replace(address="", reason="")
        return self.gathered.setdefault(kind, _Sum(received_at))


class Ledger:
    """Notes are taken in the event loop's thread; `write` says by whom they are written."""

    def __init__(self, write: Callable[[Callable[[], object]], Awaitable[None]]) -> None:
        self._write = write
        self._page = _Page()
        self._book = _Book()
        self._traffic_at = 0.0

    def start(self) -> None:
        self._writing = asyncio.create_task(self._keep_writing())

    async def stop(self) -> None:
        """Write what has gathered; while the database is away, that is lost."""
        self._writing.cancel()
        await asyncio.gather(self._writing, return_exceptions=True)
        self._traffic_at = 0.0
        await self._write_page()

    def note(self, fate: Fate) -> None:
        """What became of a callback, once that is known."""
        self._page.add(fate)

    def note_answer(self, app_id: int, received_at: datetime, seconds: float) -> None:
        """How long the vendor waited for an answer."""
        within = WITHIN[bisect_left(RANGES, seconds * 1000)]
        self._page.times[app_id, slot_of(received_at, AnswerTime.SLOT), within] += 1

    def note_notices(self, app_id: int, received_at: datetime, accounts: Mapping[str, int], samples: Sequence[Any]) -> None:
        """Which accounts a callback's notices concerned; and its notices of calls, for whoever maps them."""
        if accounts:
            hour = slot_of(received_at, AccountTraffic.SLOT)
            for wxid, count in accounts.items():
                if len(wxid) <= LONGEST_WXID and wxid.isprintable():  # else it is no account's id
                    self._page.count_notices((app_id, wxid, hour), count)
        for sample in samples[: SAMPLES_AT_ONCE - len(self._page.samples)]:
            self._page.samples.append((app_id, received_at, sample))

    async def _keep_writing(self) -> None:
        while True:
            await asyncio.sleep(WRITTEN_EVERY)
            await self._write_page()

    def _traffic_is_due(self) -> bool:
        """It is counted by the hour, so it need not be written every second, for each of very many accounts."""
        now = time.monotonic()
        if now < self._traffic_at:
            return False
        self._traffic_at = now + TRAFFIC_WRITTEN_EVERY
        return True

    async def _write_page(self) -> None:
        if not self._page:
            return
        page, self._page = self._page, _Page()
        if not self._traffic_is_due():
            page.traffic, self._page.traffic = self._page.traffic, page.traffic
        book = self._book
        try:
            await self._write(lambda: book.write(page))
        except Exception as error:
            self._book = _Book()  # what it remembers was not written
            if isinstance(error, DatabaseError) and not isinstance(error, (IntegrityError, DataError)):
                logger.error("the callback log waits for the database: %s", error)
                self._page.take_back(page)
            else:
                logger.exception("a page of the callback log could not be written and is left out")


class _Book:
    """Writes pages to the database; used by one thread. Remembers which row of the log a kind is being gathered in."""

    def __init__(self) -> None:
        self._rows: dict[_Kind, int] = {}
        self._forms: set[tuple[int, str]] = set()
        self._written = 0  # rows of the log, since it was tidied
        self._tidied_at = datetime.min.replace(tzinfo=UTC)

    @transaction.atomic
    def write(self, page: _Page) -> None:
        """Raises: django.db.Error; then nothing of the page was written."""
        kept = {fate.body_id for fate in page.rows if fate.body_id}
        kept = set(UnreadBody.objects.filter(pk__in=kept).values_list("pk", flat=True)) if kept else kept
        _insert([_row_of(fate, kept) for fate in page.rows])
        self._forget_rows_of_earlier_minutes(page)
        for kind, its_sum in page.gathered.items():
            self._gather(kind, its_sum)
        _add_up(AnswerTime, ("app_id", "slot", "within"), "callbacks", page.times)
        self._count_traffic(page.traffic)
        for app_id, received_at, notice in page.samples:
            self._keep_sample(app_id, received_at, notice)
        self._written += len(page.rows)
        if kept or self._written >= ROWS_UNTIL_TIDIED or timezone.now() - self._tidied_at > TIDIED_EVERY:
            tidy(timezone.now())
            self._written, self._tidied_at = 0, timezone.now()

    def _forget_rows_of_earlier_minutes(self, page: _Page) -> None:
        if page.gathered:
            since = min(kind.minute for kind in page.gathered) - timedelta(minutes=1)
            self._rows = {kind: pk for kind, pk in self._rows.items() if kind.minute >= since}

    def _gather(self, kind: _Kind, its_sum: _Sum) -> None:
        if kind not in self._rows and sum(other.minute == kind.minute for other in self._rows) >= KINDS_A_MINUTE:
            kind = kind._replace(address="", reason="")
        counts = {name: getattr(its_sum, name) for name in COUNTS}
        more = {name: F(name) + count for name, count in counts.items()}
        milliseconds = round(its_sum.seconds * 1000)
        slowest = Greatest("milliseconds", milliseconds)
        known = self._rows.get(kind)
        if known and Callback.objects.filter(pk=known).update(milliseconds=slowest, **more):
            return
        row = Callback.objects.create(
            app_id=kind.app_id,
            received_at=its_sum.received_at,
            address=kind.address,
            result=kind.result,
            reason=kind.reason,
            spooled=kind.spooled,
            milliseconds=milliseconds,
            **counts,
        )
        self._rows[kind] = row.pk
        self._written += 1

    def _count_traffic(self, traffic: Counter[_Account]) -> None:
        """Of the accounts that are known. One that was never called is none yet."""
        wxids = {wxid for _, wxid, _ in traffic}
        known = {}
        if wxids:
            accounts = Account.objects.filter(app__in={app_id for app_id, _, _ in traffic}, wxid__in=wxids)
            known = {(app_id, wxid): pk for pk, app_id, wxid in accounts.values_list("pk", "app_id", "wxid")}
        counts = {(pk, slot): count for (app_id, wxid, slot), count in traffic.items() if (pk := known.get((app_id, wxid)))}
        _add_up(AccountTraffic, ("account_id", "slot"), "notices", counts)

    def _keep_sample(self, app_id: int, received_at: datetime, notice: Any) -> None:
        try:
            form = vault.fingerprint(form_of(notice).encode("utf-8", "surrogatepass"))
            content = json.dumps(notice).encode()
        except RecursionError:  # nested too deep to be anything that somebody would map
            return
        if (app_id, form) in self._forms:
            return
        if len(self._forms) >= FORMS_REMEMBERED:
            self._forms.clear()
        self._forms.add((app_id, form))
        NoticeSample.objects.get_or_create(
            app_id=app_id, form=form, defaults={"received_at": received_at, "body": vault.seal(content)}
        )
        of_app = NoticeSample.objects.filter(app=app_id).order_by("-id")
        if too_many := list(of_app.values_list("pk", flat=True)[NoticeSample.KEPT_PER_APP :]):
            NoticeSample.objects.filter(pk__in=too_many).delete()
            self._forms.clear()  # one that was let go is taken again


def tidy(now: datetime) -> None:
    """Let go of what is older, or more, than the settings have kept."""
    oldest = now - timedelta(days=settings.CALLBACK_LOG_DAYS)
    Callback.objects.let_go(oldest, settings.CALLBACK_LOG_ROWS)
    UnreadBody.objects.let_go(oldest, settings.CALLBACK_LOG_ROWS, settings.CALLBACK_LOG_MIB * 1024 * 1024)
    for counts in (AnswerTime, AccountTraffic):
        counts.objects.filter(slot__lt=now - KEPT_FOR).delete()


def _row_of(fate: Fate, kept: Collection[int]) -> tuple[Any, ...]:
    """As `_insert` takes it."""
    return (
        fate.app_id,
        connection.ops.adapt_datetimefield_value(fate.received_at),
        fate.address,
        str(fate.result),
        fate.calls,
        fate.duplicates,
        fate.ends,
        fate.chats,
        fate.others,
        fate.reason[: UnreadBody.LONGEST_REASON],
        None if fate.seconds is None else round(fate.seconds * 1000),
        fate.spooled,
        fate.body_id if fate.body_id in kept else None,
    )


def _insert(rows: Sequence[tuple[Any, ...]]) -> None:
    """Rows of the log, of one callback each. Written by hand, since there is one for every call: the ORM takes ten times as
    long for it as the database."""
    columns = "app_id, received_at, address, result, calls, duplicates, ends, chats, others, reason, milliseconds, spooled"
    marks = ", ".join(["%s"] * 13)
    statement = f"INSERT INTO calls_callback (callbacks, {columns}, body_id) VALUES (1, {marks})"  # noqa: S608  # our names
    if rows:
        with connection.cursor() as cursor:
            cursor.executemany(statement, rows)


def _add_up(model: type[Model], key: tuple[str, ...], name: str, counts: Mapping[tuple[Any, ...], int]) -> None:
    """Add these counts to the rows of their keys, which are made where they are missing.

    Written by hand, since the ORM can't add to what is there: it takes two statements for each, of which the second fails
    where another process was faster. In order of the keys, so that two processes don't wait for each other.
    """
    table = connection.ops.quote_name(model._meta.db_table)
    columns = ", ".join((*key, name))
    values = ", ".join(["%s"] * (len(key) + 1))
    statement = (
        f"INSERT INTO {table} ({columns}) VALUES ({values})"  # noqa: S608  # names of our own
        f" ON CONFLICT ({', '.join(key)}) DO UPDATE SET {name} = {table}.{name} + excluded.{name}"
    )
    with connection.cursor() as cursor:
        cursor.executemany(statement, [[*map(as_stored, row), counts[row]] for row in sorted(counts)])
