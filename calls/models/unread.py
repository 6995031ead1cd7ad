from __future__ import annotations

import logging
from datetime import datetime

from django.db import models
from django.utils.translation import gettext_lazy as _

from .. import vault
from .vendor_app import VendorApp

logger = logging.getLogger(__name__)


class UnreadBodyManager(models.Manager["UnreadBody"]):
    def keep(self, app_id: int, received_at: datetime, content: bytes, reason: str, *, opened: bool = False) -> UnreadBody:
        """Keep it; what was kept already, and came once more, is not kept twice."""
        kept, _created = self.get_or_create(
            app_id=app_id,
            fingerprint=vault.fingerprint(content),
            defaults={
                "received_at": received_at,
                "body": vault.seal(content),
                "size": len(content),
                "opened": opened,
                "reason": reason[: UnreadBody.LONGEST_REASON],
            },
        )
        return kept

    def let_go(self, before: datetime, most: int, most_bytes: int) -> int:
        """Delete what was received before this moment, and the oldest beyond so many, or so many bytes in all.

        Returns: how many were deleted.
        """
        gone, total = [], 0
        newest_first = self.order_by("-received_at", "-id").values_list("pk", "received_at", "size")
        for number, (pk, received_at, size) in enumerate(newest_first, start=1):
            # The newest stays however large it is, and one that is too large costs no older one.
            fits = number == 1 or (number <= most and total + size <= most_bytes)
            if fits and received_at >= before:
                total += size
            else:
                gone.append(pk)
        if gone:
            logger.warning("%d of the callbacks that could not be read are kept no longer, for their age or size", len(gone))
        for start in range(0, len(gone), 500):
            self.filter(pk__in=gone[start : start + 500]).delete()
        return len(gone)


class UnreadBody(models.Model):
    """A callback, or the items of one, that could not be read: kept encrypted, since a call may be in it.

    A body that could not be opened is kept as it came. Of one that could be opened only the items that made no sense are
    kept, as JSON, so that no chat message stays behind.
    """

    LONGEST_REASON = 300

    app = models.ForeignKey(VendorApp, models.CASCADE, verbose_name=_("vendor app"), related_name="unread")
    received_at = models.DateTimeField(_("received"))
    body = models.BinaryField()
    size = models.PositiveIntegerField(default=0)  # bytes, before encryption
    opened = models.BooleanField(default=False)  # whether this is what made no sense of an opened body, as JSON
    reason = models.CharField(_("reason"), max_length=LONGEST_REASON)
    fingerprint = models.CharField(max_length=64, default="")  # empty: kept before there were fingerprints

    objects = UnreadBodyManager()

    class Meta:
        verbose_name = _("unreadable callback")
        verbose_name_plural = _("unreadable callbacks")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["received_at", "size"], name="unread_body_by_age")
        ]  # both, so that bodies aren't read
        constraints = [
            models.UniqueConstraint(
                fields=["app", "fingerprint"], name="unread_body_once_per_app", condition=~models.Q(fingerprint="")
            )
        ]

    def __str__(self) -> str:
        return self.reason

    @property
    def content(self) -> bytes:
        """What was kept, in the clear.

        Raises: cryptography.fernet.InvalidToken where SECRET_KEY is no longer the one it was kept under.
        """
        return vault.unseal(bytes(self.body))
