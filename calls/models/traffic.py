"""How much comes, and how fast it is answered, by time: what the budget meter and the silence alarm read."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from django.db import models

from .account import Account
from .vendor_app import VendorApp

KEPT_FOR = timedelta(days=35)  # what is normal is learnt from the last weeks

# Milliseconds, each the upper end of a range that answers are counted in; what is slower counts as SLOWEST.
# 250, 500 and 1,000 are the figures of the vendor's budget.
RANGES = (1, 2, 5, 10, 20, 50, 100, 250, 500, 1000)
SLOWEST = 32767

MIDNIGHT = datetime(1970, 1, 1, tzinfo=UTC)


def slot_of(at: datetime, length: timedelta) -> datetime:
    """The beginning of the stretch of this length, a fraction of a day, that a moment lies in; in UTC."""
    at = at.astimezone(UTC)
    return at - (at - MIDNIGHT) % length


class AnswerTime(models.Model):
    """How many callbacks of an app were answered within a range of milliseconds, in one stretch of 5 minutes."""

    SLOT = timedelta(minutes=5)

    app = models.ForeignKey(VendorApp, models.CASCADE, related_name="answer_times", db_index=False)
    slot = models.DateTimeField()
    within = models.PositiveSmallIntegerField()  # milliseconds: one of RANGES, or SLOWEST
    callbacks = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["app", "slot", "within"], name="answer_time_once")]

    def __str__(self) -> str:
        return f"{self.callbacks} within {self.within} ms"


class AccountTraffic(models.Model):
    """How many notices concerned an account, of whatever type, in one hour."""

    SLOT = timedelta(hours=1)

    account = models.ForeignKey(Account, models.CASCADE, related_name="traffic", db_index=False)
    slot = models.DateTimeField()
    notices = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["account", "slot"], name="account_traffic_once")]

    def __str__(self) -> str:
        return f"{self.notices} notices"
