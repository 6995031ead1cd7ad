"""Calls counted beforehand, a day (UTC) at a time, so that a report over millions need not count them.

A day is counted once nothing can change by itself any more; whoever changes one of its calls later says so in the same
transaction (`RolledDay.objects.recount`), and until it is counted anew its calls are counted one by one.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

from django.db import models
from django.utils import timezone

# A call changes by itself while it rings, which is an hour at most. Its day is counted an hour later still, so that no
# transaction that took it for a recent one is under way then.
RECENT = timedelta(hours=1)
COUNTED_AFTER = timedelta(hours=2)


def _another() -> int:
    return secrets.randbits(62)


class RolledDayQuerySet(models.QuerySet["RolledDay"]):
    def recount(self, days: Iterable[date]) -> None:
        """Have these days (UTC) counted anew. To be called in the transaction that changes their calls."""
        marked = [self.model(day=day, counted_at=None, change=_another()) for day in sorted(set(days))]
        self.bulk_create(marked, 500, update_conflicts=True, unique_fields=["day"], update_fields=["counted_at", "change"])

    def changed(self, received_at: datetime) -> None:
        """Note that a call of this moment was stored or changed. Costs nothing for one that is recent."""
        if received_at < timezone.now() - RECENT:
            self.recount([received_at.astimezone(UTC).date()])


class RolledDay(models.Model):
    """A day (UTC) whose counts stand in the tables below."""

    day = models.DateField(primary_key=True)
    counted_at = models.DateTimeField(null=True)  # null: a call of this day changed since it was counted
    # A number drawn at each change: whoever counts sees by it that a call changed meanwhile.
    change = models.BigIntegerField(default=_another)

    objects = RolledDayQuerySet.as_manager()

    def __str__(self) -> str:
        return f"{self.day}"


# The tables below refer to other rows without a constraint, and in their order an index holds all that is read of them:
# they are only ever read by the day, and replaced a day at a time.


class _Count(models.Model):
    day = models.DateField()
    kind = models.PositiveSmallIntegerField()
    outcome = models.CharField(max_length=12)
    calls = models.PositiveIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.day}: {self.calls} {self.outcome}"


class HourCount(_Count):
    """Calls of one hour, by the team that their accounts are in now."""

    hour = models.PositiveIntegerField()  # since 1970, UTC
    team = models.BigIntegerField(null=True)
    unseen = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(fields=["day", "outcome", "unseen", "hour", "team", "kind", "calls"], name="hour_count_by_day")
        ]


class AccountCount(_Count):
    """Calls of one day to one account."""

    account = models.BigIntegerField()
    team = models.BigIntegerField(null=True)
    unseen = models.BooleanField()

    class Meta:
        indexes = [
            models.Index(
                fields=["day", "account", "outcome", "unseen", "team", "kind", "calls"], name="account_count_by_day"
            )
        ]


class PersonCount(_Count):
    """Calls of one day that somebody rejected or tried to. None of them was seen by nobody."""

    person = models.BigIntegerField()
    team = models.BigIntegerField(null=True)

    class Meta:
        indexes = [models.Index(fields=["day", "person", "outcome", "team", "kind", "calls"], name="person_count_by_day")]


class DelayCount(_Count):
    """Calls of one day that took this long."""

    class Until(models.IntegerChoices):
        SHOWN = 1  # from the callback to the first screen
        REJECTED = 2  # from the callback to the vendor's acceptance

    until = models.PositiveSmallIntegerField(choices=Until)
    milliseconds = models.PositiveIntegerField()  # rounded to two significant digits, as it is shown
    team = models.BigIntegerField(null=True)

    class Meta:
        indexes = [
            models.Index(
                fields=["day", "until", "milliseconds", "team", "kind", "outcome", "calls"], name="delay_count_by_day"
            )
        ]


class DelayTotal(models.Model):
    """The same whatever the calls: what most reports ask for, in far fewer rows."""

    day = models.DateField()
    calls = models.PositiveIntegerField()
    until = models.PositiveSmallIntegerField(choices=DelayCount.Until)
    milliseconds = models.PositiveIntegerField()

    class Meta:
        indexes = [models.Index(fields=["day", "until", "milliseconds", "calls"], name="delay_total_by_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.calls} in {self.milliseconds} ms"
