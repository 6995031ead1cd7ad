from __future__ import annotations

from typing import TypeAlias

from django.db import models
from django.utils.translation import gettext_lazy as _

from .call import AttemptResult, Call
from .person import Person
from .reason import Reason


class Attempt(models.Model):
    """One request to the vendor to reject a call: by whom, when, and the vendor's answer, raw.

    It is on record before the request leaves; the result is filled in afterwards, so one that stays `pending` tells of a
    process that died in between.
    """

    Result: TypeAlias = AttemptResult

    call = models.ForeignKey(Call, models.PROTECT, verbose_name=_("call"), related_name="attempts")
    person = models.ForeignKey(Person, models.PROTECT, verbose_name=_("person"), related_name="attempts")
    # Why, as the list had it then.
    reason = models.CharField(_("reason"), max_length=Reason.LONGEST, blank=True, default="", db_default="")
    started_at = models.DateTimeField(_("started"))
    result = models.CharField(_("result"), max_length=12, choices=Result, default=Result.PENDING)
    errcode = models.CharField(_("code"), max_length=20, blank=True)
    message = models.CharField(_("message"), max_length=500, blank=True)
    answer = models.TextField(_("raw answer"), blank=True)
    answered_at = models.DateTimeField(_("answered"), null=True)  # null: no answer came
    # What the vendor took for this request alone; the token that had to be fetched before it isn't in it.
    milliseconds = models.PositiveIntegerField(_("milliseconds"), null=True)

    class Meta:
        verbose_name = _("reject attempt")
        verbose_name_plural = _("reject attempts")
        ordering = ["id"]
        indexes = [models.Index(fields=["started_at"], name="attempt_started")]

    def __str__(self) -> str:
        return f"{self.get_result_display()} {self.errcode}".strip()
