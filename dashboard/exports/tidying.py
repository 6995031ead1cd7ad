"""What is done about exports beside the work: those that were lost are said to be, and old files are removed."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from calls.models import Export

from . import files
from .record import ALIVE_WITHIN

EVERY = 2.0  # seconds


def tidy_exports() -> bool:
    """One export that was lost, or is old. Returns: whether there may be more."""
    now = timezone.now()
    if _give_up_lost(now) or _remove_old(now):
        return True
    _remove_left_overs(now)
    return False


def _give_up_lost(now: datetime) -> bool:
    lost = Export.objects.filter(state=Export.State.RUNNING, alive_at__lt=now - ALIVE_WITHIN)
    if (export := lost.first()) is None:
        return False
    files.remove(export)
    lost.filter(pk=export.pk).update(state=Export.State.FAILED, failure=Export.Failure.INTERRUPTED, finished_at=now, file="")
    return True


def _remove_old(now: datetime) -> bool:
    old = Export.objects.exclude(file="").filter(finished_at__lt=now - timedelta(days=settings.EXPORT_DAYS))
    if (export := old.first()) is None:
        return False
    files.remove(export)
    Export.objects.filter(pk=export.pk).update(file="")
    return True


def _remove_left_overs(now: datetime) -> None:
    """Of exports that were cancelled when their process was dead already, so that nobody was there to notice."""
    over = Export.objects.exclude(state=Export.State.RUNNING).filter(finished_at__lt=now - ALIVE_WITHIN)
    for export in over.filter(pk__in=files.keys_of_working_folders()):
        files.remove_working_folder(export)
