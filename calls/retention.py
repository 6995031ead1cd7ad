"""Retention: what has been kept for long enough is removed, oldest first and a little at a time.

Each step is one short transaction: a call goes together with all that belongs to it. So it can stop after any of them, and
goes on where it was by looking anew.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from . import days
from .models import Attempt, Call, Contact, FollowUp, Note, Purge, RawNotice, RolledDay
from .models.call import CallQuerySet

logger = logging.getLogger(__name__)

What = Purge.What

ROWS_AT_ONCE = 200


class Purging:
    """The purge as a job that is done beside the work; says in the log what it came to."""

    def __init__(self) -> None:
        self._removed: Counter[What] = Counter()

    def step(self) -> bool:
        """Remove a little. Returns: whether there may be more. Raises: django.db.Error; then nothing was removed."""
        removed = remove_some(timezone.now())
        self._removed += removed
        if not removed and self._removed:
            logger.info("removed, for it was kept long enough: %s", in_words(self._removed))
            self._removed.clear()
        return bool(removed)


def kept_since(now: datetime) -> dict[What, datetime]:
    """From when on each kind is kept: the first moment of a day. What is kept for ever, or with its call, is missing."""
    zone = timezone.get_default_timezone()
    today = now.astimezone(zone).date()
    kept = {What.CALLS: settings.CALL_DAYS, What.ATTEMPTS: settings.ATTEMPT_DAYS, What.NOTICES: settings.NOTICE_DAYS}
    since = {what: days.midnight(today - timedelta(days=number), zone) for what, number in kept.items() if number}
    return since if settings.NOTICE_DAYS else since | {What.NOTICES: now}  # of which none are to be kept


def remove_some(now: datetime) -> Counter[What]:
    """Remove a few rows of what is kept no longer.

    Returns: how many of each kind; none once there are no more. Raises: django.db.Error; then nothing was removed.
    """
    since = kept_since(now)
    removers: dict[What, Callable[[datetime, datetime], Counter[What]]] = {
        What.CALLS: _remove_calls,
        What.ATTEMPTS: _remove_attempts,
        What.NOTICES: _remove_notices,
    }
    for what, remove in removers.items():
        if what in since and (removed := remove(since[what], now)):
            return removed
    return Counter()


def to_remove(now: datetime) -> Counter[What]:
    """How much `remove_some` would remove in the end, of each kind. Takes its time: it counts."""
    since = kept_since(now)
    counts: Counter[What] = Counter()
    if before := since.get(What.CALLS):
        old = _old_calls(before, now)
        counts[What.CALLS] = old.count()
        counts[What.NOTES] = Note.objects.filter(_of(old)).count()
        counts[What.FOLLOW_UPS] = FollowUp.objects.filter(_of(old)).count()
        counts[What.ATTEMPTS] = Attempt.objects.filter(_of(old)).count()
        counts[What.NOTICES] = RawNotice.objects.filter(_of(old)).count()
        of_contact = Call.objects.filter(contact=OuterRef("pk"))
        staying = of_contact.exclude(Exists(old.filter(pk=OuterRef("pk"))))
        counts[What.CONTACTS] = Contact.objects.filter(Exists(of_contact), ~Exists(staying)).count()
    else:
        old = Call.objects.none()
    if before := since.get(What.ATTEMPTS):
        counts[What.ATTEMPTS] += _old_attempts(before, now).exclude(_of(old)).count()
    if before := since.get(What.NOTICES):
        counts[What.NOTICES] += RawNotice.objects.filter(received_at__lt=before).exclude(_of(old)).count()
    return +counts


def in_words(removed: Counter[What]) -> str:
    """For logs: `1200 calls, 90 contacts`."""
    return ", ".join(f"{removed[what]} {what.value}" for what in What if removed[what]) or "nothing"


def _old_calls(before: datetime, now: datetime) -> CallQuerySet:
    return Call.objects.settled(now).filter(received_at__lt=before)


def _old_attempts(before: datetime, now: datetime) -> QuerySet[Attempt]:
    return Attempt.objects.filter(_of(Call.objects.settled(now)), started_at__lt=before)


def _of(calls: CallQuerySet) -> Exists:
    """That something belongs to one of these calls."""
    return Exists(calls.filter(pk=OuterRef("call")))


def _remove_calls(before: datetime, now: datetime) -> Counter[What]:
    oldest = _old_calls(before, now).order_by("received_at", "id")
    rows = list(oldest.values_list("pk", "contact", "received_at")[:ROWS_AT_ONCE])
    if not rows:
        return Counter()
    pks, contacts, moments = zip(*rows, strict=True)
    with transaction.atomic():
        removed = Counter(
            {
                What.ATTEMPTS: Attempt.objects.filter(call__in=pks).delete()[0],
                What.NOTES: Note.objects.filter(call__in=pks).delete()[0],
                What.FOLLOW_UPS: FollowUp.objects.filter(call__in=pks).delete()[0],
                What.NOTICES: RawNotice.objects.filter(call__in=pks).delete()[0],
                What.CALLS: Call.objects.filter(pk__in=pks).delete()[1].get(Call._meta.label, 0),
                What.CONTACTS: _remove_contacts_without_calls(contacts),
            }
        )
        _have_recounted(moments)
        return _on_record(removed, before, now)


def _remove_contacts_without_calls(pks: Sequence[int]) -> int:
    """Nothing is left that they are kept for. Should one call in this moment, the writer makes it anew."""
    called = Call.objects.filter(contact=OuterRef("pk"))
    gone = Contact.objects.filter(~Exists(called), pk__in=set(pks)).delete()[1]  # their avatars go with them
    return gone.get(Contact._meta.label, 0)


def _remove_attempts(before: datetime, now: datetime) -> Counter[What]:
    """The calls themselves go on saying what came of them, and by whom."""
    oldest = _old_attempts(before, now).order_by("started_at", "id")
    rows = list(oldest.values_list("pk", "call__received_at")[:ROWS_AT_ONCE])
    if not rows:
        return Counter()
    pks, moments = zip(*rows, strict=True)
    with transaction.atomic():
        removed = Counter({What.ATTEMPTS: Attempt.objects.filter(pk__in=pks).delete()[0]})
        _have_recounted(moments)  # how long a reject took isn't known any more
        return _on_record(removed, before, now)


def _remove_notices(before: datetime, now: datetime) -> Counter[What]:
    oldest = RawNotice.objects.filter(received_at__lt=before).order_by("received_at")
    pks = list(oldest.values_list("pk", flat=True)[:ROWS_AT_ONCE])
    if not pks:
        return Counter()
    with transaction.atomic():
        return _on_record(Counter({What.NOTICES: RawNotice.objects.filter(pk__in=pks).delete()[0]}), before, now)


def _have_recounted(moments: Iterable[datetime]) -> None:
    """Of the days (UTC) in which these lie, what was counted beforehand holds no longer."""
    RolledDay.objects.recount(moment.astimezone(UTC).date() for moment in moments)


def _on_record(removed: Counter[What], before: datetime, now: datetime) -> Counter[What]:
    removed = +removed
    for what, count in removed.items():
        Purge.objects.note(timezone.localdate(now, timezone.get_default_timezone()), what, before, count)
    return removed
