from __future__ import annotations

from datetime import UTC
from typing import Any

from django.db import models, transaction
from django.db.models.functions import TruncDate
from django.utils.translation import gettext_lazy as _

from .rollup import RolledDay
from .team import Team
from .vendor_app import VendorApp


class AccountQuerySet(models.QuerySet["Account"]):
    @transaction.atomic
    def update(self, **values: Any) -> int:
        if values.keys() & {"team", "team_id"}:
            self.recount()
        return super().update(**values)

    def recount(self) -> None:
        """Have the days of their calls counted anew, since they are counted by team."""
        days = self.filter(calls__isnull=False).values_list(TruncDate("calls__received_at", tzinfo=UTC), flat=True)
        RolledDay.objects.recount(days.order_by().distinct())


class Account(models.Model):
    """A hosted WeCom account. Made by itself the first time that it is called; then named and put in a team."""

    app = models.ForeignKey(VendorApp, models.PROTECT, verbose_name=_("vendor app"), related_name="accounts")
    wxid = models.CharField("wxid", max_length=64)
    name = models.CharField(_("name"), max_length=60, blank=True)
    team = models.ForeignKey(
        Team,
        models.PROTECT,
        verbose_name=_("team"),
        related_name="accounts",
        null=True,
        blank=True,
        help_text=_("Who sees its calls. Without a team: supervisors, and agents who see all accounts."),
    )
    created_at = models.DateTimeField(_("first called"))

    objects = AccountQuerySet.as_manager()

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["name", "wxid"]
        constraints = [models.UniqueConstraint(fields=["app", "wxid"], name="account_once_per_app")]

    def __str__(self) -> str:
        return self.name or self.wxid

    @transaction.atomic
    def save(self, *args: Any, **options: Any) -> None:
        stored = Account.objects.filter(pk=self.pk)
        if not self._state.adding and stored.exclude(team=self.team_id).exists():
            stored.recount()
        super().save(*args, **options)
