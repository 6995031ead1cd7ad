"""The exports' folder, which several hosts may share: a file of an unguessable name for each export that is kept, and a
folder while one is made.
"""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from django.conf import settings

from calls.models import Export


def new_name(format: str) -> str:
    return f"{secrets.token_urlsafe(24)}.{format}"


def path_of(export: Export) -> Path:
    return _folder() / export.file


@contextmanager
def working_folder(export: Export) -> Iterator[Path]:
    """For what is not whole yet. Raises: OSError."""
    folder = _working_folder(export)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    try:
        yield folder
    finally:
        remove_working_folder(export)


@contextmanager
def written(export: Export, unfinished: Path) -> Iterator[IO[bytes]]:
    """The export's file: under this other name until it is whole and on disk. Raises: OSError."""
    with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        yield file
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path_of(export))


def remove(export: Export) -> None:
    """Whatever there is of it. Raises: OSError."""
    remove_working_folder(export)
    if export.file:
        remove_file(export.file)


def remove_working_folder(export: Export) -> None:
    shutil.rmtree(_working_folder(export), ignore_errors=True)


def keys_of_working_folders() -> list[int]:
    """Of the exports that have one."""
    return [int(folder.stem) for folder in _folder().glob("*.part") if folder.stem.isdecimal()]


def names() -> list[str]:
    """Of the files that are whole."""
    return [file.name for format in Export.Format for file in _folder().glob(f"*.{format}")]


def remove_file(name: str) -> None:
    """Raises: OSError."""
    (_folder() / name).unlink(missing_ok=True)


def _working_folder(export: Export) -> Path:
    return _folder() / f"{export.pk}.part"


def _folder() -> Path:
    folder: Path = settings.EXPORT_DIR
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder
