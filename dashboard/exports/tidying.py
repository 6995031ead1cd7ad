"""What is done about exports beside the work: those that were lost are said to be, and old files are removed."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.conf import settings
from django.utils import timezone

from calls.models import Export

from . import files
from .record import ALIVE_WITHIN

EVERY = 2.0  # seconds
FOLDER_EVERY = 60.0


def tidy_exports() -> bool:
    """One export that was lost, or is old. Returns: whether there may be more."""
    now = timezone.now()
    return _give_up_lost(now) or _remove_old(now)


def tidy_folder() -> bool:
    """What is left in this host's folder, which the one that did the above may not share. Returns: that there is no more."""
    _remove_working_folders(timezone.now())
    _remove_strays()
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


def _remove_working_folders(now: datetime) -> None:
    """Of exports that are over, though whoever made them didn't live to notice."""
    over = Export.objects.exclude(state=Export.State.RUNNING).filter(finished_at__lt=now - ALIVE_WITHIN)
    for export in over.filter(pk__in=files.keys_of_working_folders()):
        files.remove_working_folder(export)


def _remove_strays() -> None:
    """Files that no export has any more. It has its name before there is a file."""
    names = set(files.names())
    for name in names.difference(Export.objects.filter(file__in=names).values_list("file", flat=True)):
        files.remove_file(name)
