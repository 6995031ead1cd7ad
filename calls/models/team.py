from django.db import models
from django.utils.translation import gettext_lazy as _


class Team(models.Model):
    """Agents, and the accounts whose calls they see."""

    name = models.CharField(_("name"), max_length=60, unique=True)

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name
