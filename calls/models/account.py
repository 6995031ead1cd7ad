from django.db import models
from django.utils.translation import gettext_lazy as _

from .team import Team
from .vendor_app import VendorApp


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

    class Meta:
        verbose_name = _("account")
        verbose_name_plural = _("accounts")
        ordering = ["name", "wxid"]
        constraints = [models.UniqueConstraint(fields=["app", "wxid"], name="account_once_per_app")]

    def __str__(self) -> str:
        return self.name or self.wxid
