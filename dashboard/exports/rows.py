"""History's table, row after row, for files: the same rows, columns and words as on the screen."""

from __future__ import annotations

import re
from array import array
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Max, Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext

from calls.among import among
from calls.models import Account, Attempt, Call, FollowUp, Person
from calls.models.call import RECEIPTS_WITHIN, CallQuerySet
from calls.templatetags.ringdesk import thousands, zone_of

CHUNK = 2000  # calls that are fetched at once
MANY = 3  # times as many calls as are wanted: from then on it is quicker to name each that is
NOBODY = "—"
# What no spreadsheet, and no XML, can hold.
UNHOLDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

FIELDS = [
    "pk",
    "received",
    "account_id",
    "contact__remark",
    "contact__nickname",
    "contact__wxid",
    "kind",
    "outcome",
    "claimed_by_id",
    "screens",
    "open",
]
ATTEMPT_FIELDS = ["call_id", "pk", "result", "errcode", "milliseconds", "answered"]
NO_ATTEMPT = (0, None, "", None, None)


class Row(NamedTuple):
    """A call as the screen shows it."""

    at: datetime  # in the reader's zone
    contact: str
    account: str
    kind: str
    outcome: str
    by: str
    follow_up: str
    seconds: float | None  # from the callback to the vendor's acceptance
    answer: str
    screens: int | str  # in words where it isn't known


class Table:
    """These calls, newest first, in the language and the zone that are active where this is made.

    Which calls they are is found out once, here: a search, or a team's calls, would take too long to be looked for again and
    again. What they hold is fetched in chunks. Nothing is held open between two of them, so whoever reads slowly keeps no
    database waiting.
    """

    def __init__(self, calls: CallQuerySet) -> None:
        self._calls = _keys_of(calls)  # 4 bytes each
        self._words = _Words()
        first, last = self._ends()
        self.crosses_offsets = len({at.astimezone(self._words.zone).utcoffset() for at in _daily(first, last)}) > 1
        zone = str(self._words.zone) if self.crosses_offsets else zone_of(first)
        self.title = capfirst(str(Call._meta.verbose_name_plural))
        self.header = [
            f"{gettext('Time')} ({zone})",
            gettext("Contact"),
            gettext("Account"),
            gettext("Kind"),
            gettext("Outcome"),
            gettext("By"),
            gettext("Follow-up"),
            gettext("Time to reject (s)"),
            gettext("Vendor's answer"),
            gettext("Screens"),
        ]
        self.rows = 0  # so far
        self.rows_in_all = len(self._calls)
        self.accounts: set[int] = set()  # whose calls were among them

    def chunks(self) -> Iterator[list[Row]]:
        """All rows, so many at a time. A call that was purged meanwhile is in none."""
        for start in range(0, self.rows_in_all, CHUNK):
            found = _fetched(list(self._calls[start : start + CHUNK]))
            rows = _rows(found, self._words)
            self.rows += len(rows)
            self.accounts.update({call[2] for call in found})
            yield rows

    def _ends(self) -> tuple[datetime, datetime]:
        """When the first and the last of these calls came; where there are none, now."""
        times = Call.objects.filter(pk__in=[*self._calls[:1], *self._calls[-1:]]).values_list("received_at", flat=True)
        found = list(times) or [timezone.now()]
        return min(found), max(found)


def _keys_of(calls: CallQuerySet) -> array[int]:
    keys: array[int] = array("I" if (Call.objects.aggregate(pk=Max("pk"))["pk"] or 0) < 2**32 else "Q")
    keys.extend(calls.order_by("-received_at", "-id").values_list("pk", flat=True).iterator(CHUNK))
    return keys


def _fetched(keys: list[int]) -> list[tuple[Any, ...]]:
    """The FIELDS of these calls, in this order."""
    now = timezone.now()
    is_open = Q(rings_until__gt=now) | Q(claimed_until__gt=now)
    calls = Call.objects.filter(among(keys)).annotate(
        received=_as_text("received_at"), open=ExpressionWrapper(is_open, output_field=BooleanField())
    )
    found = {call[0]: call for call in calls.values_list(*FIELDS)}
    return [found[key] for key in keys if key in found]


class _Words:
    """What is the same in many rows, in the active language and zone. Rows are made in threads that have neither."""

    def __init__(self) -> None:
        self.zone = timezone.get_current_timezone()
        self.kinds = {value: capfirst(str(label)) for value, label in Call.Kind.choices}
        self.outcomes = {value: capfirst(str(label)) for value, label in Call.Outcome.choices}
        self.follow_ups = {value: capfirst(str(label)) for value, label in FollowUp.State.choices}
        self.results = {value: str(label) for value, label in Attempt.Result.choices}
        self.statuses: dict[str, str] = {
            Call.Status.RINGING: gettext("Ringing"),
            Call.Status.REJECTING: gettext("Being rejected"),
            Call.Status.UNCONFIRMED: gettext("Unconfirmed"),
        }
        self.unseen = gettext("Nobody saw it")
        self.unknown = gettext("unknown")
        self.unnamed = gettext("User %(wxid)s")
        self.accounts = _Names(Account)
        self.people = _Names(Person)

    def of(self, outcome: str, unseen: bool) -> str:
        return f"{self.outcomes[outcome]} {self.unseen}" if unseen else self.outcomes[outcome]


class _Names(dict[int, str]):
    """The names of a model's instances by their keys, each looked up once."""

    def __init__(self, model: type[Account | Person]) -> None:
        super().__init__()
        self._model = model

    def __missing__(self, pk: int) -> str:
        self[pk] = name = holdable(str(self._model._default_manager.get(pk=pk)))
        return name


def _rows(calls: list[tuple[Any, ...]], words: _Words) -> list[Row]:
    unseen_before = timezone.now() - RECEIPTS_WITHIN
    attempts = _last_attempts([call[0] for call in calls])
    follow_ups = _follow_ups([call[0] for call in calls])
    still_open = _open_in_words([call[0] for call in calls if call[-1]], words)
    rows = []
    for pk, received, account, remark, nickname, wxid, kind, outcome, by, screens, _open in calls:
        received_at = _moment(received)
        attempt, result, errcode, milliseconds, answered = attempts.get(pk, NO_ATTEMPT)
        unseen = screens == 0 and by is None and outcome != "rule" and received_at < unseen_before
        rows.append(
            Row(
                received_at.astimezone(words.zone),
                holdable(remark or nickname or words.unnamed % {"wxid": wxid}),
                words.accounts[account],
                words.kinds[kind],
                still_open.get(pk) or words.of(outcome, unseen),
                words.people[by] if by else NOBODY,
                words.follow_ups[follow_ups[pk]] if pk in follow_ups else "",
                (_moment(answered) - received_at).total_seconds() if answered and result == "accepted" else None,
                _answer(errcode or words.results[result], milliseconds) if attempt else "",
                words.unknown if screens is None else screens,
            )
        )
    return rows


def _last_attempts(calls: list[int]) -> dict[int, tuple[Any, ...]]:
    """The latest request to the vendor of each call that has any: its key, result, code, milliseconds, when answered."""
    if not calls:
        return {}
    first, last = min(calls), max(calls)
    attempts = Attempt.objects.filter(call__gte=first, call__lte=last)
    if last - first > MANY * len(calls):
        attempts = attempts.filter(call__in=calls)
    latest: dict[int, tuple[Any, ...]] = {}
    # Not in order, for which SQLite would go through all attempts there are.
    found = attempts.annotate(answered=_as_text("answered_at")).order_by()
    for call, *attempt in found.values_list(*ATTEMPT_FIELDS):
        if call not in latest or latest[call][0] < attempt[0]:
            latest[call] = tuple(attempt)
    return latest


def _follow_ups(calls: list[int]) -> dict[int, str]:
    """What those calls that led to a follow-up say of it."""
    if not calls:
        return {}
    states: dict[int, str] = {}
    found = FollowUp.objects.filter(call__gte=min(calls), call__lte=max(calls)).order_by()
    for call, done_at in found.values_list("call", "done_at"):
        if done_at is None or call not in states:
            states[call] = FollowUp.State.DONE if done_at else FollowUp.State.OPEN
    return states


def _as_text(field: str) -> Cast:
    """Most of the time for a row would go into Django's own reading of a moment."""
    return Cast(field, TextField())


def _moment(text: str) -> datetime:
    """A moment that the database gave as text: in UTC, on SQLite without saying so."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def _open_in_words(calls: list[int], words: _Words) -> dict[int, str]:
    """What happens now to those calls that are not over. There are never many."""
    if not calls:
        return {}
    found = Call.objects.filter(pk__in=calls)
    return {call.pk: words.of(call.outcome, call.unseen) if call.is_over else words.statuses[call.status] for call in found}


def _answer(what: str, milliseconds: int | None) -> str:
    return holdable(what if milliseconds is None else f"{what} · {thousands(milliseconds)} ms")


def holdable(text: str) -> str:
    """With a mark in place of each character that a file can't hold."""
    return text if text.isprintable() else UNHOLDABLE.sub("\ufffd", text)


def _daily(first: datetime, last: datetime) -> Iterator[datetime]:
    """Moments from the first to the last, at most a day apart: no zone changes its offset and takes that back sooner."""
    while first < last:
        yield first
        first += timedelta(days=1)
    yield last
