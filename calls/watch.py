"""What supervisors are told without asking: how the vendor's budget of answers stands, and who has fallen silent."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache
from django.db.models import OuterRef, QuerySet, Subquery, Sum

from . import backlog
from .models import Account, AccountTraffic, AnswerTime, Callback, UnreadBody, VendorApp
from .models.traffic import KEPT_FOR, SLOWEST, slot_of
from .silence import SHORTEST, Silence, silence

# The vendor's: over so many answers later than 1 s in a day, and it pushes nothing more that day.
TIMEOUTS_A_DAY = 1000
# Ours: when to say so. Answers over half a second come close, and tell of the same trouble earlier.
TIGHT_AT_TIMEOUTS = 100
TIGHT_AT_CLOSE_ONES = 500
BAD_AT_TIMEOUTS = 500
TIMEOUT = 1000  # milliseconds
CLOSE = 500
SLOW = 250

FRESH_FOR = 30  # seconds

Result = Callback.Result

Level = Literal["ok", "warn", "bad"]
T = TypeVar("T")

# Where the state is remembered. Apart while anything waits: who seemed silent then, must not for a moment afterwards.
_KEYS = ("watch", "watch-while-waiting")
_looking = threading.RLock()  # what one looks up, others wait for; what is looked up may need something else looked up


@dataclass(frozen=True)
class Budget:
    """How an app's callbacks were answered today, by the clock of the installation's zone, which is the vendor's."""

    app_id: int
    name: str
    within: Mapping[int, int] = field(default_factory=dict)  # callbacks, by the upper end of a range of milliseconds
    refused: int = 0  # with 503, since neither database nor spool took them: the vendor doesn't push them again
    not_admitted: int = 0  # since their address is none of those that are allowed
    too_large: int = 0
    silence: Silence | None = None
    held_up: bool = False  # whether callbacks, of whatever app, wait for the database

    @property
    def callbacks(self) -> int:
        return sum(self.within.values())

    @property
    def timeouts(self) -> int:
        return self._over(TIMEOUT)

    @property
    def close_ones(self) -> int:
        return self._over(CLOSE)

    @property
    def slow_ones(self) -> int:
        return self._over(SLOW)

    @property
    def half_within(self) -> int | None:
        return self._share_within(50)

    @property
    def most_within(self) -> int | None:
        return self._share_within(99)

    @property
    def lateness(self) -> Level:
        """How much of what the vendor puts up with is used up."""
        if self.timeouts >= BAD_AT_TIMEOUTS:
            return "bad"
        return "warn" if self.timeouts >= TIGHT_AT_TIMEOUTS or self.close_ones >= TIGHT_AT_CLOSE_ONES else "ok"

    @property
    def level(self) -> Level:
        """How well it goes altogether."""
        if self.refused or self.silence or self.held_up:
            return "bad"
        return "warn" if self.lateness == "ok" and (self.not_admitted or self.too_large) else self.lateness

    def _over(self, milliseconds: int) -> int:
        return sum(count for within, count in self.within.items() if within > milliseconds)

    def _share_within(self, percent: int) -> int | None:
        """Milliseconds within which this share was answered, as far as the ranges tell; None: none, or later than all."""
        reached = 0
        for within, count in sorted(self.within.items()):
            reached += count
            if reached * 100 >= percent * self.callbacks:
                return None if within == SLOWEST else within
        return None


@dataclass(frozen=True)
class Silent:
    """An app, or one of its accounts, that has fallen silent."""

    pk: int
    name: str
    silence: Silence


@dataclass(frozen=True)
class State:
    budgets: Sequence[Budget]
    apps: Sequence[Silent]
    accounts: Sequence[Silent]  # of apps that aren't silent as a whole
    unread: int  # callbacks that came today and are kept, since they could not be read
    waiting: int = 0  # callbacks that are on disk and not yet in the database
    waiting_since: datetime | None = None


def state(now: datetime) -> State:
    """As it was at most 30 s ago, since pages ask for it every few seconds; but what waits for the database, as it is now.

    While anything waits nobody counts as silent: who was heard isn't known.
    """
    waiting, since = backlog.waiting()
    if not waiting:
        return _remembered(_KEYS[0], FRESH_FOR, lambda: _state(now))
    known = _remembered(_KEYS[1], FRESH_FOR, lambda: _state(now))
    held_up = [replace(budget, silence=None, held_up=True) for budget in known.budgets]
    return replace(known, budgets=held_up, apps=[], accounts=[], waiting=waiting, waiting_since=since)


def forget() -> None:
    """Have it looked up anew, after somebody changed what it tells of."""
    cache.delete_many(_KEYS)


def _state(now: datetime) -> State:
    midnight = _midnight(now)
    apps = silent_apps(now)
    silences = {app.pk: app.silence for app in apps}
    return State(
        [replace(budget, silence=silences.get(budget.app_id)) for budget in budgets(midnight)],
        apps,
        silent_accounts(now, [app.pk for app in apps]),
        UnreadBody.objects.filter(received_at__gte=midnight).count(),
    )


def budgets(midnight: datetime) -> list[Budget]:
    """Of every app, since this moment."""
    within: dict[int, dict[int, int]] = defaultdict(dict)
    answers = AnswerTime.objects.filter(slot__gte=midnight).values_list("app", "within")
    for app_id, limit, count in answers.annotate(count=Sum("callbacks")):
        within[app_id][limit] = count
    refused: dict[int, dict[str, int]] = defaultdict(dict)
    rows = Callback.objects.filter(received_at__gte=midnight, result__in=Callback.REFUSED, app__isnull=False)
    for app_id, result, count in rows.order_by().values_list("app", "result").annotate(count=Sum("callbacks")):
        refused[app_id][result] = count
    return [
        Budget(
            pk,
            name,
            within[pk],
            refused=refused[pk].get(Result.NOT_STORED, 0),
            not_admitted=refused[pk].get(Result.NOT_ADMITTED, 0),
            too_large=refused[pk].get(Result.TOO_LARGE, 0),
        )
        for pk, name in VendorApp.objects.values_list("pk", "name")
    ]


def silent_apps(now: datetime) -> list[Silent]:
    def judge() -> list[Silent]:
        names = VendorApp.objects.values_list("pk", "name")
        slots = _slots_of_apps(now)
        found = [Silent(pk, name, one) for pk, name in names if (one := silence(slots[pk], AnswerTime.SLOT, now, _zone()))]
        return sorted(found, key=_longest_first)

    return _still_silent("app", AnswerTime.objects.all(), AnswerTime.SLOT, now, judge)


def silent_accounts(now: datetime, silent_apps: Iterable[int]) -> list[Silent]:
    """Accounts that have fallen silent, except those of these apps."""
    length = AccountTraffic.SLOT

    def judge() -> list[Silent]:
        last = AccountTraffic.objects.filter(account=OuterRef("pk")).order_by("-slot").values("slot")[:1]
        quiet = Account.objects.annotate(last=Subquery(last)).filter(
            last__lte=slot_of(now, length) - (SHORTEST + 1) * length
        )
        slots = AccountTraffic.objects.filter(account__in=quiet.order_by().values("pk"), slot__gte=now - KEPT_FOR)
        rows = slots.order_by("account_id").values_list("account_id", "slot")
        accounts = {account.pk: account for account in quiet}
        # A day on which nothing came to the whole app, a holiday perhaps, tells nothing about an account.
        open_days = {app: {at.astimezone(_zone()).date() for at in slots} for app, slots in _slots_of_apps(now).items()}
        found = []
        for pk, its_rows in groupby(rows.iterator(), itemgetter(0)):  # one by one: all at once are millions
            if account := accounts.get(pk):
                came = [slot for _, slot in its_rows]
                if one := silence(came, length, now, _zone(), open_days.get(account.app_id, set())):
                    found.append(Silent(pk, str(account), one))
        return sorted(found, key=_longest_first)

    known = _still_silent("account", AccountTraffic.objects.all(), length, now, judge)
    explained = set(Account.objects.filter(app__in=silent_apps).values_list("pk", flat=True)) if known else set()
    return [one for one in known if one.pk not in explained]


def _slots_of_apps(now: datetime) -> dict[int, list[datetime]]:
    groups: dict[int, list[datetime]] = defaultdict(list)
    slots = AnswerTime.objects.filter(slot__gte=now - KEPT_FOR).values_list("app_id", "slot").distinct()
    for app_id, slot in slots.iterator():
        groups[app_id].append(slot)
    return groups


def _longest_first(silent: Silent) -> datetime:
    return silent.silence.since


def _still_silent(
    of: str, traffic: QuerySet[Any], length: timedelta, now: datetime, judge: Callable[[], list[Silent]]
) -> list[Silent]:
    """Who was silent when the last slot ended, which is judged once, and hasn't been heard since."""
    slot = slot_of(now, length)
    silent = _remembered(f"silent-{of}s-{slot:%dT%H:%M}", round(length.total_seconds()), judge)
    if not silent:
        return []
    # Also in the slot before, of which the last second may have been written after it was judged.
    since = {f"{of}__in": [one.pk for one in silent], "slot__gte": slot - length}
    heard = set(traffic.filter(**since).values_list(of, flat=True))
    return [one for one in silent if one.pk not in heard]


def _remembered(key: str, seconds: int, work: Callable[[], T]) -> T:
    """What this came to, at most so long ago. However many ask at once, it is worked out once."""
    known: T | None = cache.get(key)
    if known is None:
        with _looking:
            known = cache.get(key)  # by somebody else meanwhile
            if known is None:
                known = work()
                cache.set(key, known, seconds)
    return known


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(_zone()).date(), time.min, _zone())


def _zone() -> ZoneInfo:
    """By whose clock days go: the installation's, which is the vendor's."""
    return ZoneInfo(settings.TIME_ZONE)
