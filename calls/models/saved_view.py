from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from .person import Person
from .team import Team


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def for_menu(self, person: Person) -> SavedViewQuerySet:
        """This person's own, and those that others share with a team of theirs."""
        mine = Q(owner=person) | Q(team__in=person.teams.all())
        return self.filter(mine).select_related("owner", "team").order_by("name", "id").distinct()


class SavedView(models.Model):
    """A search of history under a name. What it shows depends on who looks: rights aren't saved with it."""

    owner = models.ForeignKey(Person, models.CASCADE, verbose_name=_("person"), related_name="views", db_index=False)
    team = models.ForeignKey(Team, models.CASCADE, verbose_name=_("shared with"), related_name="+", null=True, blank=True)
    name = models.CharField(_("name"), max_length=60)
    query = models.TextField()  # as it stands in history's address
    created_at = models.DateTimeField(auto_now_add=True)

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        verbose_name = _("saved view")
        verbose_name_plural = _("saved views")
        constraints = [models.UniqueConstraint(fields=["owner", "name"], name="saved_view_once_per_name")]

    def __str__(self) -> str:
        return self.name
