from django.db import models
from django.utils.translation import gettext_lazy as _

from .call import Call
from .person import Person


class Note(models.Model):
    """What somebody wrote about a call. Never changed: it is part of the record."""

    LONGEST = 2000  # characters

    call = models.ForeignKey(Call, models.PROTECT, verbose_name=_("call"), related_name="notes")
    person = models.ForeignKey(Person, models.PROTECT, verbose_name=_("person"), related_name="+", db_index=False)
    written_at = models.DateTimeField(_("written"))
    text = models.TextField(_("note"), max_length=LONGEST)

    class Meta:
        verbose_name = _("note")
        verbose_name_plural = _("notes")
        ordering = ["id"]

    def __str__(self) -> str:
        return self.text
