from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from .account import Account
from .person import Person, Sight


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

    class Failure(models.TextChoices):
        INTERRUPTED = "interrupted", _("the server stopped, or lost it")
        DISK = "disk", _("the disk is full, or can't be written to")
        DATABASE = "database", _("the database could not be read")
        OTHER = "other", _("an error that the server's log tells")

    person = models.ForeignKey(Person, models.PROTECT, verbose_name=_("person"), related_name="exports")
    requested_at = models.DateTimeField(_("requested"))
    format = models.CharField(_("format"), max_length=4, choices=Format)
    query = models.TextField(_("filters"), blank=True)  # as it stands in history's address
    language = models.CharField(max_length=10)
    zone = models.CharField(max_length=60)  # the reader's
    state = models.CharField(_("state"), max_length=10, choices=State, default=State.RUNNING)
    failure = models.CharField(_("reason"), max_length=12, choices=Failure, blank=True)
    rows = models.PositiveIntegerField(_("rows"), default=0)  # so far
    rows_in_all = models.PositiveIntegerField(null=True)  # null: not counted beforehand
    alive_at = models.DateTimeField(null=True)  # when whoever makes it last said so
    finished_at = models.DateTimeField(_("finished"), null=True)
    # The name of the file in EXPORT_DIR; empty where it goes out at once, or is gone.
    file = models.CharField(max_length=100, blank=True)
    accounts = models.JSONField(default=list)  # the keys of those whose calls are in the file

    class Meta:
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["alive_at"], name="export_running", condition=models.Q(state="running")),
            models.Index(fields=["finished_at"], name="export_with_file", condition=~models.Q(file="")),
        ]

    def __str__(self) -> str:
        return f"{self.get_format_display()} {self.requested_at:%Y-%m-%d %H:%M}"

    @property
    def was_kept(self) -> bool:
        """Whether it was made to be fetched later."""
        return bool(self.file) or self.rows_in_all is not None

    def may_be_fetched_by(self, person: Person, sight: Sight) -> bool:
        """The file is for whoever asked for it, and for admins; and only while they see every account that is in it.

        sight: this person's, which takes a query to know.
        """
        return (person == self.person or person.is_admin) and self._is_within(sight)

    def _is_within(self, sight: Sight) -> bool:
        if sight.all:
            return True
        seen = Account.objects.filter(pk__in=self.accounts, team__in=sight.teams)
        return seen.count() == len(self.accounts)
