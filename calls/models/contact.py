from __future__ import annotations

from datetime import datetime

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from .person import Person
from .vendor_app import VendorApp


class ContactQuerySet(models.QuerySet["Contact"]):
    def change(self, pk: int, by: Person, seen: datetime | None, **values: object) -> bool:
        """Put down what colleagues know: remark, tags, mark.

        seen: when it had been changed last, as far as this person knows. Returns: whether it was; not where somebody else
        has changed it since.
        """
        unchanged = self.filter(pk=pk, changed_at=seen)
        return bool(unchanged.update(changed_by=by, changed_at=timezone.now(), **values))


class Contact(models.Model):
    """Somebody who calls hosted accounts. Nickname and avatar are a stranger's: whatever the vendor passed on. Remark, tags
    and mark are what colleagues wrote, which the vendor never overwrites."""

    class Mark(models.TextChoices):
        NONE = "", _("no mark")
        IMPORTANT = "important", _("important")
        BLOCKED = "blocked", _("blocked")

    ERASED = "erased-"  # what the wxid of a contact without a name begins with, which has the calls of one who was erased
    MOST_TAGS = 8
    LONGEST_TAG = 20  # characters

    app = models.ForeignKey(VendorApp, models.PROTECT, verbose_name=_("vendor app"), related_name="contacts")
    wxid = models.CharField("wxid", max_length=64)
    nickname = models.CharField(_("nickname"), max_length=200, blank=True)
    avatar = models.CharField(
        _("avatar"), max_length=500, blank=True
    )  # an address at a stranger's host; never loaded as it is
    # Not to ask the vendor for the nickname before; null: not asked yet.
    ask_after = models.DateTimeField(null=True, editable=False)

    # Defaults of the database as well, since much is inserted by hand.
    remark = models.CharField(_("remark"), max_length=60, blank=True, default="", db_default="")
    tags = models.JSONField(_("tags"), blank=True, default=list, db_default=models.Value([], models.JSONField()))
    mark = models.CharField(_("mark"), max_length=10, choices=Mark, blank=True, default=Mark.NONE, db_default="")
    changed_by = models.ForeignKey(
        Person, models.PROTECT, verbose_name=_("changed by"), related_name="+", null=True, db_index=False
    )
    changed_at = models.DateTimeField(_("changed"), null=True)

    objects = ContactQuerySet.as_manager()

    class Meta:
        verbose_name = _("contact")
        verbose_name_plural = _("contacts")
        constraints = [models.UniqueConstraint(fields=["app", "wxid"], name="contact_once_per_app")]

    def __str__(self) -> str:
        return self.remark or self.nickname or gettext("User %(wxid)s") % {"wxid": self.wxid}
