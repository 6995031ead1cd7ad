from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .person import Person


class Export(models.Model):
    """Calls that somebody took away as a file: who, when, by which filters, and how many."""

    class Format(models.TextChoices):
        CSV = "csv", "CSV"
        XLSX = "xlsx", "Excel"

    class State(models.TextChoices):
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")
        CANCELLED = "cancelled", _("cancelled")

    person = models.ForeignKey(Person, models.PROTECT, verbose_name=_("person"), related_name="exports")
    requested_at = models.DateTimeField(_("requested"))
    format = models.CharField(_("format"), max_length=4, choices=Format)
    query = models.TextField(_("filters"), blank=True)  # as it stands in history's address
    language = models.CharField(max_length=10)
    zone = models.CharField(max_length=60)  # the reader's
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RUNNING)
    rows = models.PositiveIntegerField(_("rows"), default=0)  # so far
    rows_in_all = models.PositiveIntegerField(null=True)  # null: not counted beforehand
    alive_at = models.DateTimeField(null=True)  # when whoever makes it last said so
    finished_at = models.DateTimeField(_("finished"), null=True)
    # The name of the file in the exports' folder; empty where it went out at once, or is gone.
    file = models.CharField(max_length=100, blank=True)

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.get_format_display()} {self.requested_at:%Y-%m-%d %H:%M}"
