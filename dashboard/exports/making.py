"""Who makes exports: a request that takes the file with it, or a thread that leaves it in the exports' folder."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

from django.db import connection
from django.utils import timezone, translation
from django.utils.timezone import get_current_timezone_name

from calls.models import Export, Person

from . import asked, csv_file, files, xlsx_file
from .record import Record, Stopped
from .rows import Table

logger = logging.getLogger(__name__)

AT_ONE_TIME = 2  # exports in the background, for each process
FORMATS = {Export.Format.CSV: csv_file, Export.Format.XLSX: xlsx_file}

_slots = threading.BoundedSemaphore(AT_ONE_TIME)


def put_on_record(person: Person, format: str, query: str, file: str = "") -> Export:
    """An export for this reader, in the language and the zone that are active."""
    now = timezone.now()
    return Export.objects.create(
        person=person,
        format=format,
        query=query,
        language=translation.get_language(),
        zone=get_current_timezone_name(),
        requested_at=now,
        alive_at=now,
        file=file,
    )


def at_once(export: Export) -> Iterator[bytes]:
    """The file, part by part, made while it is taken; empty parts where there is none yet.

    From here on the export is told to be alive, also while it waits for its turn; so what is returned has to be closed.
    """
    parts = _made_while_taken(export)
    next(parts)
    return parts


def in_background(person: Person, format: str, query: str) -> Export:
    """Begin an export that is kept. The same one that is being made for this reader already is not begun twice."""
    mine = Export.objects.filter(person=person, state=Export.State.RUNNING, format=format, query=query).exclude(file="")
    if running := mine.filter(language=translation.get_language(), zone=get_current_timezone_name()).first():
        return running
    export = put_on_record(person, format, query, files.new_name(format))
    threading.Thread(target=_make, args=[export], name=f"export-{export.pk}", daemon=True).start()
    return export


def _made_while_taken(export: Export) -> Iterator[bytes]:
    with Record(export) as record:
        yield b""  # for whoever began it
        with files.working_folder(export) as folder:
            yield from _parts(record, folder)


def _make(export: Export) -> None:
    try:
        with Record(export) as record, _slots, files.working_folder(export) as folder:
            record.go_on()
            with files.written(export, folder / "whole") as file:
                for part in _parts(record, folder):
                    file.write(part)
    except Stopped:
        logger.info("export %d was cancelled", export.pk)
    except Exception:
        logger.exception("export %d failed", export.pk)
    finally:
        connection.close()


def _parts(record: Record, folder: Path) -> Iterator[bytes]:
    export = record.export
    with timezone.override(export.zone), translation.override(export.language):
        record.table = Table(asked.calls_of(export))
    if export.file:
        Export.objects.filter(pk=export.pk).update(rows_in_all=record.table.rows_in_all)
    for part in FORMATS[Export.Format(export.format)].parts(record.table, folder):
        record.go_on()
        yield part
