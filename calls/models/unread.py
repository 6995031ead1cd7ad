from __future__ import annotations

import base64
from datetime import datetime

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from .vendor_app import VendorApp


def _vault() -> Fernet:
    """Encrypts with a key of its own, derived from SECRET_KEY (RFC 5869)."""
    key = HKDF(SHA256(), length=32, salt=None, info=b"ringdesk unread bodies").derive(settings.SECRET_KEY.encode())
    return Fernet(base64.urlsafe_b64encode(key))


class UnreadBodyManager(models.Manager["UnreadBody"]):
    def keep(self, app_id: int, received_at: datetime, content: bytes, reason: str) -> UnreadBody:
        """Keep it, and let go of the oldest beyond what is kept for an app."""
        kept = self.create(app_id=app_id, received_at=received_at, body=_vault().encrypt(content), reason=reason[:300])
        of_app = self.filter(app=app_id).order_by("-id")
        if excess := list(of_app.values_list("id", flat=True)[UnreadBody.KEPT_PER_APP :]):
            self.filter(pk__in=excess).delete()
        return kept


class UnreadBody(models.Model):
    """A callback, or the items of one, that could not be read: kept encrypted, since a call may be in it.

    A body that could not be opened is kept as it came. Of one that could be opened only the items that made no sense are
    kept, as JSON, so that no chat message stays behind.
    """

    KEPT_PER_APP = 1000

    app = models.ForeignKey(VendorApp, models.CASCADE, verbose_name=_("vendor app"), related_name="unread")
    received_at = models.DateTimeField(_("received"))
    body = models.BinaryField()
    reason = models.CharField(_("reason"), max_length=300)

    objects = UnreadBodyManager()

    class Meta:
        verbose_name = _("unreadable callback")
        verbose_name_plural = _("unreadable callbacks")
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.reason

    @property
    def content(self) -> bytes:
        """What was kept, in the clear.

        Raises: cryptography.fernet.InvalidToken where SECRET_KEY is no longer the one it was kept under.
        """
        return _vault().decrypt(bytes(self.body))
