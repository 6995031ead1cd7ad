from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from .person import Person
from .unread import UnreadBody
from .vendor_app import VendorApp


class CallbackManager(models.Manager["Callback"]):
    def let_go(self, before: datetime, most: int) -> int:
        """Delete what was received before this moment, and the oldest rows beyond this many; how many that were.

        Of requests to unknown addresses far fewer are kept: anybody can send them, and they must not drive out the others.
        """
        unknown = models.Q(app=None)
        return (
            self.filter(received_at__lt=before).delete()[0]
            + self._let_go_of_the_oldest(unknown, max(1, most // 10))
            + self._let_go_of_the_oldest(~unknown, most)
        )

    def _let_go_of_the_oldest(self, which: models.Q, most: int) -> int:
        newest_to_go = self.filter(which).order_by("-id").values_list("pk", flat=True)[most : most + 1].first()
        return self.filter(which, pk__lte=newest_to_go).delete()[0] if newest_to_go is not None else 0


class Callback(models.Model):
    """What came, from where, and what became of it: one row of the callback log.

    A callback that brought calls, or could not be read, has a row of its own. The others (chat messages alone; refused) come
    in numbers, so those of one minute, sender and result are gathered in one row.
    """

    class Result(models.TextChoices):
        READ = "read", _("read")
        UNREADABLE = "unreadable", _("unreadable")  # in whole or in part: kept, for replay
        REPLAYED = "replayed", _("replayed")
        UNKNOWN = "unknown", _("refused: unknown address")
        NOT_ADMITTED = "not_admitted", _("refused: sender not allowed")
        WRONG_METHOD = "wrong_method", _("refused: not a POST")
        TOO_LARGE = "too_large", _("refused: too large")
        NOT_STORED = "not_stored", _("refused: could not be stored")

    REFUSED = (Result.UNKNOWN, Result.NOT_ADMITTED, Result.WRONG_METHOD, Result.TOO_LARGE, Result.NOT_STORED)

    app = models.ForeignKey(VendorApp, models.CASCADE, verbose_name=_("vendor app"), null=True, related_name="callbacks")
    received_at = models.DateTimeField(_("received"), db_index=True)  # of gathered ones: the first
    address = models.CharField(_("from"), max_length=64, blank=True)
    result = models.CharField(_("result"), max_length=12, choices=Result)
    callbacks = models.PositiveIntegerField(_("callbacks"), default=1)
    calls = models.PositiveIntegerField(_("calls"), default=0)
    duplicates = models.PositiveIntegerField(_("pushed again"), default=0)
    ends = models.PositiveIntegerField(_("ends of calls"), default=0)
    chats = models.PositiveIntegerField(_("chat messages"), default=0)
    others = models.PositiveIntegerField(_("other notices"), default=0)
    reason = models.CharField(_("reason"), max_length=UnreadBody.LONGEST_REASON, blank=True)
    milliseconds = models.PositiveIntegerField(_("answered after (ms)"), null=True)  # of gathered ones: the slowest
    # Whether it waited on disk for the database, which could not take it in time.
    spooled = models.BooleanField(_("waited for the database"), default=False)
    body = models.ForeignKey(UnreadBody, models.SET_NULL, null=True, related_name="callbacks")
    replayed_at = models.DateTimeField(_("replayed"), null=True)
    replayed_by = models.ForeignKey(Person, models.PROTECT, null=True, related_name="+", db_index=False)

    objects = CallbackManager()

    class Meta:
        verbose_name = _("callback")
        verbose_name_plural = _("callbacks")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.get_result_display()
