"""The history itself: hour by hour, who called whom, what came of it, and all that is on record of that."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import islice
from random import Random
from typing import Any, NamedTuple

from django.db import transaction

from calls import rollups, search
from calls.models import Account, Attempt, Call, FollowUp, Note, Person, RawNotice, RolledDay, VendorApp
from calls.models.call import CLAIM_LASTS
from calls.vendor.sandbox import call_notice

from . import bulk, cast, contacts, fates, times
from .fates import Fate

AT_ONCE = 20_000  # calls in a transaction: a second or two, for which others who write wait
LONG_OVER = timedelta(hours=2)  # from the last call to now: no ring window is that long

VOIPIDS_FROM, VOIPIDS_APART = 161_288_067, 37
AT_HOME = 0.85  # of a contact's calls, to the one account that they know
WITH_NOTICE = 1000  # newest calls
WITH_NOTE = 0.004  # of the calls that somebody handled
NOTES = [
    "客户要退货，已转售后处理。",
    "打错了，想加好友。",
    "催发货，已回复预计明天发出。",
    "问发票什么时候开，已转财务。",
    "重复来电，已在聊天里说明。",
    "客户情绪激动，请主管回访。",
    "询价，已发报价单。",
    "想约视频看样品，改约下午三点。",
    "推销电话。",
    "要改收货地址，已在系统里改好。",
    "对方没说话。",
    "老客户，续费事宜，转大客户组跟进。",
]

FOLLOWED_UP = 0.15  # of the missed calls
FOLLOW_UP_NOTES = [
    "已回电，问题已解决。",
    "已用文字回复，客户没有再问。",
    "回拨两次未接，已留言。",
    "约了明天上午十点再联系。",
    "客户说已经处理好了。",
    "",
]

CALL = [
    "id", "voipid", "account", "contact", "kind", "received_at", "rings_until", "called_at", "outcome", "claimed_by",
    "claimed_until", "ended_at", "shown_at", "screens", "screens_with_sound", "version",
]  # fmt: skip
RECEIVED_AT = CALL.index("received_at") - CALL.index("account")
ATTEMPT = [
    "call", "person", "started_at", "result", "errcode", "message", "answer", "answered_at", "milliseconds",
]  # fmt: skip
FOLLOW_UP = [
    "call", "contact", "team", "added_by", "added_at", "taken_by", "taken_at", "done_by", "done_at", "note",
]  # fmt: skip


class MadeUp(NamedTuple):
    """A call and what hangs on it, before it has an id: the columns above from `account` and from `person` on."""

    columns: tuple[Any, ...]
    attempts: list[tuple[Any, ...]]


class Asked(NamedTuple):
    app: VendorApp  # whose accounts are called
    calls: int
    days: int
    until: datetime  # UTC
    seed: int


def make(asked: Asked, told: Callable[[int], None] = lambda made: None) -> None:
    """Add calls, the last one a while before `until`, with people, teams, accounts, contacts, attempts and notes.

    told: called with how many there are so far. What is there when this is interrupted is complete in itself.
    """
    rng = Random(asked.seed)
    end = asked.until - LONG_OVER
    begin = end - timedelta(days=asked.days)
    with bulk.in_bulk():
        with transaction.atomic():
            players = cast.bring_in(asked.app, asked.calls, begin)
        callers = contacts.bring_in(asked.app, asked.calls, rng)
        lives = _Lives(players, callers, begin, end, asked.app.ring_seconds, rng).through(asked.calls)
        made = 0
        while batch := list(islice(lives, AT_ONCE)):
            with_notice = max(0, made + len(batch) - max(made, asked.calls - WITH_NOTICE))
            _store(batch, with_notice, players, rng)
            made += len(batch)
            told(made)
        search.rebuild()
        rollups.rebuild()
        bulk.analyse()


class _Lives:
    """What happens to each call."""

    def __init__(
        self,
        players: cast.Cast,
        callers: contacts.Contacts,
        begin: datetime,
        end: datetime,
        ring_seconds: int,
        rng: Random,
    ) -> None:
        self._players = players
        self._callers = callers
        self._begin, self._end = begin, end
        self._rings_for = timedelta(seconds=ring_seconds)
        self._rng = rng
        # Some accounts have many more contacts than others.
        self._homes = rng.choices(players.accounts, [0.3 + rng.expovariate(1) for _ in players.accounts], k=4999)

    def through(self, calls: int) -> Iterator[MadeUp]:
        left_at = self._begin + (self._end - self._begin) * cast.STAYED_FOR
        for hour in times.hours(calls, self._begin, self._end, self._rng):
            if not hour.moments:
                continue
            present = self._players.at_first if hour.moments[0] < left_at else self._players.at_last
            number = len(hour.moments)
            fates_ = fates.draw(number, hour.in_office_hours, self._rng)
            seen_on = fates.screens(number, self._rng)
            for received_at, fate, screens in zip(hour.moments, fates_, seen_on, strict=True):
                yield self._live(received_at, fate, screens if fate.seen else (0, 0), present)

    def _live(
        self, received_at: datetime, fate: Fate, screens: tuple[int, int], present: dict[int | None, list[Person]]
    ) -> MadeUp:
        rng = self._rng
        caller = self._callers.one(rng)
        account = self._account_of(caller)
        attempts = self._attempts(received_at, fate, rng.choice(present[account.team_id])) if fate.tries else []
        last = attempts[-1] if attempts else None
        died = last is not None and last[2] == Attempt.Result.PENDING
        columns = (
            account.pk,
            self._callers.ids[caller],
            1 + (rng.random() < 0.7),  # video or voice
            received_at,
            received_at + self._rings_for,
            received_at.replace(microsecond=0) - timedelta(seconds=rng.randrange(2)) if rng.random() < 0.3 else None,
            fate.outcome,
            last[0] if last else None,
            last[1] + CLAIM_LASTS if last and died else None,
            self._ended_at(received_at, last) if fate.ended else None,
            received_at + fates.until_shown(rng) if screens[0] else None,
            *screens,
            2 * len(attempts) + fate.ended,
        )
        return MadeUp(columns, attempts)

    def _account_of(self, caller: int) -> Account:
        if self._rng.random() < AT_HOME:
            return self._homes[caller * 2_654_435_761 % len(self._homes)]
        return self._rng.choice(self._players.accounts)

    def _attempts(self, received_at: datetime, fate: Fate, person: Person) -> list[tuple[Any, ...]]:
        rng, attempts = self._rng, []
        started_at = received_at + fates.until_clicked(rng)
        for each in fate.tries:
            milliseconds = fates.takes(each, rng)
            ended_at = started_at + timedelta(milliseconds=milliseconds or 0)
            # One whose answer makes no sense, or never came, wasn't answered.
            answered_at = ended_at if each.errcode else None
            attempts.append(
                (
                    person.pk,
                    started_at,
                    each.result,
                    each.errcode,
                    each.message,
                    each.answer,
                    answered_at,
                    milliseconds,
                )
            )
            started_at = ended_at + fates.until_again(rng)
        return attempts

    def _ended_at(self, received_at: datetime, last: tuple[Any, ...] | None) -> datetime:
        return (last[6] if last else received_at) + fates.until_ended(self._rng)


@transaction.atomic
def _store(batch: list[MadeUp], with_notice: int, players: cast.Cast, rng: Random) -> None:
    RolledDay.objects.recount(call.columns[RECEIVED_AT].astimezone(UTC).date() for call in batch)
    ids = bulk.new_ids(Call, len(batch))
    numbered = list(zip(ids, batch, strict=True))
    bulk.insert(Call, CALL, ((pk, _voipid(pk), *call.columns) for pk, call in numbered))
    bulk.insert(Attempt, ATTEMPT, ((pk, *attempt) for pk, call in numbered for attempt in call.attempts))
    bulk.insert(Note, ["call", "person", "written_at", "text"], _notes(numbered, rng))
    bulk.insert(FollowUp, FOLLOW_UP, _follow_ups(numbered, players, rng))
    if with_notice:
        _store_notices(ids[-with_notice:])


def _notes(numbered: list[tuple[int, MadeUp]], rng: Random) -> Iterator[tuple[Any, ...]]:
    for pk, call in numbered:
        if call.attempts and rng.random() < WITH_NOTE:
            person, started_at, *_ = call.attempts[-1]
            yield pk, person, started_at + timedelta(seconds=rng.uniform(30, 3600)), rng.choice(NOTES)


def _follow_ups(numbered: list[tuple[int, MadeUp]], players: cast.Cast, rng: Random) -> Iterator[tuple[Any, ...]]:
    """All done long ago. None is open, of which each customer would have one."""
    teams = {account.pk: account.team_id for account in players.accounts}
    for pk, call in numbered:
        account, contact, _kind, _received_at, rings_until, _called_at, outcome, *_ = call.columns
        if outcome == Call.Outcome.MISSED and rng.random() < FOLLOWED_UP:
            person = rng.choice(players.at_last[teams[account]])
            taken_at = rings_until + timedelta(minutes=rng.uniform(1, 30))
            done_at = taken_at + timedelta(minutes=rng.uniform(2, 60))
            note = rng.choice(FOLLOW_UP_NOTES)
            yield pk, contact, teams[account], None, rings_until, person.pk, taken_at, person.pk, done_at, note


def _store_notices(ids: Sequence[int]) -> None:
    """The notices that these calls were read from."""
    calls = Call.objects.filter(pk__gte=ids[0], pk__lte=ids[-1]).select_related("account", "contact")
    RawNotice.objects.bulk_create(
        RawNotice(call=call, received_at=call.received_at, body=json.dumps(_notice(call), ensure_ascii=False))
        for call in calls.iterator()
    )


def _notice(call: Call) -> dict[str, Any]:
    contact = call.contact
    return call_notice(call.account.wxid, contact.wxid, int(call.voipid), call.kind, nickname=contact.nickname)


def _voipid(pk: int) -> str:
    """Each one once, as calls are."""
    return str(VOIPIDS_FROM + VOIPIDS_APART * pk)
