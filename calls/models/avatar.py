from django.db import models
from django.utils.translation import gettext_lazy as _

from .contact import Contact


class Avatar(models.Model):
    """A contact's picture, fetched from the address that the vendor passed on, and made small. In the database, so that
    every host and every backup has it. In a table of its own: whoever fetches a contact doesn't want it."""

    contact = models.OneToOneField(Contact, models.CASCADE, primary_key=True, related_name="picture")
    address = models.CharField(max_length=500)  # from which it was fetched last, or was not to be had
    tried_at = models.DateTimeField(_("fetched"))
    failure = models.CharField(max_length=200, blank=True)  # why the last try brought none, technically
    version = models.CharField(max_length=16, blank=True)  # tells pictures apart; empty where there is none yet
    picture = models.BinaryField()  # WebP; of an earlier address, where the last try brought none

    class Meta:
        verbose_name = _("avatar")
        verbose_name_plural = _("avatars")

    def __str__(self) -> str:
        return f"{self.contact_id} {self.version or self.failure}"
