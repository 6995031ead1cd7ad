"""What is done about exports beside the work: those that were lost are said to be, and old files are removed."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.db.models import Q
from django.utils import timezone

from calls.models import Export

from . import files
from .record import ALIVE_WITHIN

EVERY = 2.0  # seconds


def tidy_exports() -> bool:
    """One export. Returns: whether there may be more."""
    now = timezone.now()
    lost = Q(state=Export.State.RUNNING, alive_at__lt=now - ALIVE_WITHIN)
    if export := Export.objects.filter(lost).first():
        files.remove(export)
        failed = {"state": Export.State.FAILED, "failure": Export.Failure.INTERRUPTED, "finished_at": now, "file": ""}
        Export.objects.filter(lost, pk=export.pk).update(**failed)
        return True
    old = Export.objects.exclude(file="").filter(finished_at__lt=now - timedelta(days=settings.EXPORT_DAYS))
    if export := old.first():
        files.remove(export)
        Export.objects.filter(pk=export.pk).update(file="")
        return True
    return False
