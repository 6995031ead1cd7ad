from __future__ import annotations

from datetime import date, datetime

from django.db import models
from django.db.models import F
from django.utils.translation import gettext_lazy as _


class PurgeManager(models.Manager["Purge"]):
    def note(self, day: date, what: Purge.What, before: datetime, removed: int) -> None:
        """Add what was removed to the row of this day. To be called in the transaction that removes it."""
        of_this_day, _created = self.get_or_create(day=day, what=what, defaults={"before": before})
        self.filter(pk=of_this_day.pk).update(before=before, removed=F("removed") + removed)


class Purge(models.Model):
    """What was removed on a day because it had been kept long enough."""

    class What(models.TextChoices):
        CALLS = "calls", _("calls")
        ATTEMPTS = "attempts", _("reject attempts")
        NOTICES = "notices", _("raw notices")
        NOTES = "notes", _("notes")
        FOLLOW_UPS = "follow_ups", _("follow-ups")
        CONTACTS = "contacts", _("contacts")

    day = models.DateField(_("on"))  # in the installation's zone
    what = models.CharField(_("what"), max_length=10, choices=What)
    before = models.DateTimeField(_("received before"))
    removed = models.PositiveIntegerField(_("removed"), default=0)

    objects = PurgeManager()

    class Meta:
        verbose_name = _("purge")
        verbose_name_plural = _("purges")
        ordering = ["-day", "what"]
        constraints = [models.UniqueConstraint(fields=["day", "what"], name="purge_once_per_day")]

    def __str__(self) -> str:
        return f"{self.day}: {self.removed} {self.get_what_display()}"
