"""History's table, row after row, for files: the same rows, columns and words as on the screen."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import BooleanField, ExpressionWrapper, Max, Q, TextField
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext

from calls.models import Account, Attempt, Call, Person
from calls.models.call import RECEIPTS_WITHIN, CallQuerySet
from calls.templatetags.ringdesk import zone_of

CHUNK = 2000  # calls that are fetched at once
MANY = 3  # times as many calls as are wanted: from then on it is quicker to name each that is
NOBODY = "—"
# What no spreadsheet, and no XML, can hold.
UNHOLDABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")

FIELDS = [
    "pk",
    "received",
    "account_id",
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
    seconds: float | None  # from the callback to the vendor's acceptance
    answer: str


class Table:
    """These calls, newest first, in the language and the zone that are active where this is made.

    They are fetched in chunks, each by queries of its own. So nothing is held open between two of them, and whoever reads
    slowly keeps no database waiting. A call that is stored after this was made is in none.
    """

    def __init__(self, calls: CallQuerySet) -> None:
        self._calls = calls.order_by("-received_at", "-id")
        self._zone = timezone.get_current_timezone()
        self._newest: int = Call.objects.aggregate(pk=Max("pk"))["pk"] or 0
        self._words = _Words()
        first, last = self._ends()
        self.crosses_offsets = len({at.astimezone(self._zone).utcoffset() for at in _daily(first, last)}) > 1
        zone = str(self._zone) if self.crosses_offsets else zone_of(first)
        self.title = capfirst(str(Call._meta.verbose_name_plural))
        self.header = [
            f"{gettext('Time')} ({zone})",
            gettext("Contact"),
            gettext("Account"),
            gettext("Kind"),
            gettext("Outcome"),
            gettext("By"),
            gettext("Time to reject (s)"),
            gettext("Vendor's answer"),
        ]
        self.rows = 0  # so far
        self.accounts: set[int] = set()  # whose calls were among them

    def chunks(self) -> Iterator[list[Row]]:
        """All rows, so many at a time; at least one chunk, which may be empty."""
        place: tuple[datetime, int] | None = None
        while True:
            found = self._following(place)
            calls = [call for call in found if call[0] <= self._newest]
            rows = _rows(calls, self._words)
            self.rows += len(rows)
            self.accounts.update({call[2] for call in calls})
            yield rows
            if len(found) < CHUNK:
                return
            place = _moment(found[-1][1]), found[-1][0]

    def _following(self, place: tuple[datetime, int] | None) -> list[tuple[Any, ...]]:
        calls = self._calls.before(*place) if place else self._calls
        now = timezone.now()
        is_open = Q(rings_until__gt=now) | Q(claimed_until__gt=now)
        calls = calls.annotate(
            received=_as_text("received_at"), open=ExpressionWrapper(is_open, output_field=BooleanField())
        )
        return list(calls.values_list(*FIELDS)[:CHUNK])

    def _ends(self) -> tuple[datetime, datetime]:
        """When the first and the last of these calls came; where there are none, now."""
        times = self._calls.values_list("received_at", flat=True)
        now = timezone.now()
        return times.reverse().first() or now, times.first() or now


class _Words:
    """What is the same in many rows, in the active language and zone. Rows are made in threads that have neither."""

    def __init__(self) -> None:
        self.zone = timezone.get_current_timezone()
        self.kinds = {value: capfirst(str(label)) for value, label in Call.Kind.choices}
        self.outcomes = {value: capfirst(str(label)) for value, label in Call.Outcome.choices}
        self.results = {value: str(label) for value, label in Attempt.Result.choices}
        self.statuses: dict[str, str] = {
            Call.Status.RINGING: gettext("Ringing"),
            Call.Status.REJECTING: gettext("Being rejected"),
            Call.Status.UNCONFIRMED: gettext("Unconfirmed"),
        }
        self.unseen = gettext("Nobody saw it")
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
    still_open = _open_in_words([call[0] for call in calls if call[-1]], words)
    rows = []
    for pk, received, account, nickname, wxid, kind, outcome, by, screens, _open in calls:
        received_at = _moment(received)
        attempt, result, errcode, milliseconds, answered = attempts.get(pk, NO_ATTEMPT)
        unseen = screens == 0 and by is None and outcome != "rule" and received_at < unseen_before
        rows.append(
            Row(
                received_at.astimezone(words.zone),
                holdable(nickname or words.unnamed % {"wxid": wxid}),
                words.accounts[account],
                words.kinds[kind],
                still_open.get(pk) or words.of(outcome, unseen),
                words.people[by] if by else NOBODY,
                (_moment(answered) - received_at).total_seconds() if answered and result == "accepted" else None,
                _answer(errcode or words.results[result], milliseconds) if attempt else "",
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
    return holdable(what if milliseconds is None else f"{what} · {milliseconds} ms")


def holdable(text: str) -> str:
    """With a mark in place of each character that a file can't hold."""
    return text if text.isprintable() else UNHOLDABLE.sub("\ufffd", text)


def _daily(first: datetime, last: datetime) -> Iterator[datetime]:
    """Moments from the first to the last, at most a day apart: no zone changes its offset and takes that back sooner."""
    while first < last:
        yield first
        first += timedelta(days=1)
    yield last
