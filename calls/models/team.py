from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Team(models.Model):
    """Agents, and the accounts whose calls they see."""

    class FollowUps(models.TextChoices):
        """Whom Ringdesk puts on the team's list by itself."""

        BY_HAND = "hand", _("by hand only")
        MISSED = "missed", _("missed calls")
        UNANSWERED = "unanswered", _("missed and rejected calls")

    name = models.CharField(_("name"), max_length=60, unique=True)
    follow_up = models.CharField(
        _("to follow up"),
        max_length=10,
        choices=FollowUps,
        default=FollowUps.BY_HAND,
        db_default=FollowUps.BY_HAND,
        help_text=_(
            "Which calls put a customer on the team's list by themselves, from now on. Missed: they rang until the end, or"
            " the vendor refused the reject. Rejected: by a person or a rule, confirmed or not. Calls that the vendor said"
            " have ended are neither."
        ),
    )
    follow_up_since = models.DateTimeField(null=True, editable=False)  # when that was chosen; earlier calls don't count

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **options: Any) -> None:
        if not Team.objects.filter(pk=self.pk, follow_up=self.follow_up).exists():
            self.follow_up_since = timezone.now()
        super().save(*args, **options)
