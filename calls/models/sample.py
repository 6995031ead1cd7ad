from __future__ import annotations

from django.db import models

from .. import vault
from .vendor_app import VendorApp


class NoticeSample(models.Model):
    """A `voiceVideoCall` notice of a form not seen before, kept encrypted: for whoever maps where its values stand."""

    KEPT_PER_APP = 50

    app = models.ForeignKey(VendorApp, models.CASCADE, related_name="samples", db_index=False)
    received_at = models.DateTimeField()
    form = models.CharField(max_length=64)  # a fingerprint of what stands where, without the values
    body = models.BinaryField()

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["app", "form"], name="notice_sample_once_per_form")]

    def __str__(self) -> str:
        return self.form[:8]

    @property
    def content(self) -> bytes:
        """The notice as JSON, in the clear.

        Raises: cryptography.fernet.InvalidToken where SECRET_KEY is no longer the one it was kept under.
        """
        return vault.unseal(bytes(self.body))
