"""What supervisors are told without asking: how the vendor's budget of answers stands, and who has fallen silent."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from typing import Any, Literal, TypeVar
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core.cache import cache
from django.db.models import OuterRef, QuerySet, Subquery, Sum

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

Level = Literal["ok", "warn", "bad"]
T = TypeVar("T")


@dataclass(frozen=True)
class Budget:
    """How an app's callbacks were answered today, by the clock of the installation's zone, which is the vendor's."""

    app_id: int
    name: str
    within: Mapping[int, int] = field(default_factory=dict)  # callbacks, by the upper end of a range of milliseconds
    refused: int = 0  # with 503, since neither database nor spool took them: the vendor doesn't push them again

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
    def level(self) -> Level:
        if self.refused or self.timeouts >= BAD_AT_TIMEOUTS:
            return "bad"
        return "warn" if self.timeouts >= TIGHT_AT_TIMEOUTS or self.close_ones >= TIGHT_AT_CLOSE_ONES else "ok"

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

    @property
    def tight(self) -> list[Budget]:
        return [budget for budget in self.budgets if budget.level != "ok"]


def state(now: datetime) -> State:
    """As it was at most 30 s ago: pages ask for it every few seconds."""
    return _remembered("watch", FRESH_FOR, lambda: _state(now))


def forget() -> None:
    """Have it looked up anew, after somebody changed what it tells of."""
    cache.delete("watch")


def _state(now: datetime) -> State:
    midnight = _midnight(now)
    apps = silent_apps(now)
    return State(
        budgets(midnight),
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
    lost = Callback.objects.filter(received_at__gte=midnight, result=Callback.Result.NOT_STORED, app__isnull=False)
    refused = Counter(dict(lost.order_by().values_list("app").annotate(count=Sum("callbacks"))))
    names = VendorApp.objects.values_list("pk", "name")
    return [Budget(pk, name, within[pk], refused[pk]) for pk, name in names]


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
        by_account = _grouped(slots.values_list("account_id", "slot"))
        # A day on which nothing came to the whole app, a holiday perhaps, tells nothing about an account.
        open_days = {app: {at.astimezone(_zone()).date() for at in slots} for app, slots in _slots_of_apps(now).items()}
        found = []
        for account in quiet:
            days = open_days.get(account.app_id, set())
            if one := silence(by_account[account.pk], length, now, _zone(), days):
                found.append(Silent(account.pk, str(account), one))
        return sorted(found, key=_longest_first)

    known = _still_silent("account", AccountTraffic.objects.all(), length, now, judge)
    explained = set(Account.objects.filter(app__in=silent_apps).values_list("pk", flat=True)) if known else set()
    return [one for one in known if one.pk not in explained]


def _slots_of_apps(now: datetime) -> dict[int, list[datetime]]:
    return _grouped(AnswerTime.objects.filter(slot__gte=now - KEPT_FOR).values_list("app_id", "slot").distinct())


def _grouped(pairs: Iterable[tuple[int, datetime]]) -> dict[int, list[datetime]]:
    groups: dict[int, list[datetime]] = defaultdict(list)
    for pk, slot in pairs:
        groups[pk].append(slot)
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
    """What this came to, at most so long ago."""
    known: T | None = cache.get(key)
    if known is None:
        known = work()
        cache.set(key, known, seconds)
    return known


def _midnight(now: datetime) -> datetime:
    return datetime.combine(now.astimezone(_zone()).date(), time.min, _zone())


def _zone() -> ZoneInfo:
    """By whose clock days go: the installation's, which is the vendor's."""
    return ZoneInfo(settings.TIME_ZONE)
