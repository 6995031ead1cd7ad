from __future__ import annotations

from collections import defaultdict

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .person import Sight
from .team import Team


class ReasonQuerySet(models.QuerySet["Reason"]):
    def of_team(self, team_id: int | None) -> ReasonQuerySet:
        """The list that counts for calls to this team's accounts: its own, or where it has none the general one."""
        own = self.filter(team=team_id)
        return own if own.exists() else self.filter(team=None)

    def lists(self, sight: Sight) -> dict[int | None, list[Reason]]:
        """All lists that whoever sees this may need, by team; the general one under None."""
        found: defaultdict[int | None, list[Reason]] = defaultdict(list)
        for reason in self.filter(Q() if sight.all else Q(team=None) | Q(team__in=sight.teams)):
            found[reason.team_id].append(reason)
        return dict(found)


class Reason(models.Model):
    """Why a call is rejected, as agents may say by one more click or key. What they said stays with the attempt as text."""

    LONGEST = 40  # characters

    team = models.ForeignKey(
        Team,
        models.CASCADE,
        verbose_name=_("team"),
        related_name="reasons",
        null=True,
        blank=True,
        help_text=_("Whose list it is in. Without a team: in the list of all teams that have none of their own."),
    )
    text = models.CharField(_("reason"), max_length=LONGEST)
    place = models.PositiveSmallIntegerField(
        _("place"), default=0, help_text=_("Smaller numbers come first; the first nine have a key.")
    )

    objects = ReasonQuerySet.as_manager()

    class Meta:
        verbose_name = _("reason for rejecting")
        verbose_name_plural = _("reasons for rejecting")
        ordering = ["place", "id"]

    def __str__(self) -> str:
        return self.text
