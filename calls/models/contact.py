from django.db import models
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .vendor_app import VendorApp


class Contact(models.Model):
    """Somebody who calls hosted accounts. The nickname is a stranger's text: whatever the vendor passed on."""

    app = models.ForeignKey(VendorApp, models.PROTECT, verbose_name=_("vendor app"), related_name="contacts")
    wxid = models.CharField("wxid", max_length=64)
    nickname = models.CharField(_("nickname"), max_length=200, blank=True)
    avatar = models.CharField(
        _("avatar"), max_length=500, blank=True
    )  # an address at a stranger's host; never loaded as it is

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = [models.UniqueConstraint(fields=["app", "wxid"], name="contact_once_per_app")]

    def __str__(self) -> str:
        return self.nickname or gettext("User %(wxid)s") % {"wxid": self.wxid}
