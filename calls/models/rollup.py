"""Calls counted beforehand, a day (UTC) at a time, so that a report over millions need not count them.

A day is counted once nothing can change by itself any more; whoever changes one of its calls later says so in the same
transaction (`RolledDay.objects.recount`), and until it is counted anew its calls are counted one by one.
"""

from __future__ import annotations

from django.db import models

from .account import Account
from .call import Call
from .person import Person
from .team import Team


class RolledDay(models.Model):
    """A day (UTC) whose counts stand in the tables below."""

    day = models.DateField(primary_key=True)
    counted_at = models.DateTimeField(null=True)  # null: a call of this day changed since it was counted

    def __str__(self) -> str:
        return f"{self.day}"


class _Count(models.Model):
    kind = models.PositiveSmallIntegerField(choices=Call.Kind)
    outcome = models.CharField(max_length=12, choices=Call.Outcome)
    calls = models.PositiveIntegerField()

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.calls} {self.outcome}"


class HourCount(_Count):
    """Calls of one hour, by the team that their accounts are in now."""

    hour = models.PositiveIntegerField()  # since 1970, UTC
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="+", db_index=False)
    unseen = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["hour"], name="hour_count_hour")]


class AccountCount(_Count):
    """Calls of one day to one account."""

    day = models.DateField()
    account = models.ForeignKey(Account, models.CASCADE, related_name="+", db_index=False)
    unseen = models.BooleanField()

    class Meta:
        indexes = [models.Index(fields=["day"], name="account_count_day")]


class PersonCount(_Count):
    """Calls of one day that somebody rejected or tried to."""

    day = models.DateField()
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="+", db_index=False)
    person = models.ForeignKey(Person, models.CASCADE, related_name="+", db_index=False)

    class Meta:
        indexes = [models.Index(fields=["day"], name="person_count_day")]


class DelayCount(_Count):
    """Calls of one day that took this long."""

    class Until(models.IntegerChoices):
        SHOWN = 1  # from the callback to the first screen
        REJECTED = 2  # from the callback to the vendor's acceptance

    day = models.DateField()
    team = models.ForeignKey(Team, models.CASCADE, null=True, related_name="+", db_index=False)
    until = models.PositiveSmallIntegerField(choices=Until)
    milliseconds = models.PositiveIntegerField()  # rounded to two significant digits, as it is shown

    class Meta:
        indexes = [models.Index(fields=["day"], name="delay_count_day")]
