"""The spool: a file in which callbacks wait, encrypted, while the database can't take them.

A record is its length and its CRC-32 (4 bytes each, big-endian), then its content. Records follow one another from the
beginning, and behind the last one stand 8 zeros. The length's first bit says that a record was worked in. A record that was
being written when the machine stopped makes no sense: nobody was told that it was safe. One that was damaged later is
skipped; then, and where anything else stands behind the last record, the file is copied before it is used again.

The file's first megabytes are reserved on disk at the start, so that callbacks are kept on a disk that is full, too.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import logging
import os
import re
import struct
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import vault

logger = logging.getLogger(__name__)

T = TypeVar("T")

RESERVED = 16 * 1024 * 1024  # bytes: a call takes about 1,000
PIECE = 1024 * 1024  # bytes read or written at once

ASIDE = "spool.aside"
_NUMBERED = re.compile(r"spool\.\d+")

_HEAD = struct.Struct(">II")
_END = bytes(_HEAD.size)
_WORKED_IN = 1 << 31  # a bit of the length


@dataclass(frozen=True)
class Place:
    """Where a record's content stands in the file, in bytes."""

    start: int
    length: int


def left_in(folder: Path) -> int:
    """How many callbacks wait in the files there. For while no server runs. Raises: OSError."""
    return sum(len(_left_in(path)) for path in folder.glob("spool.*") if _is_spool(path))


class Spool:
    """Open and close it with the server. For one event loop; the file is touched in a thread of the spool's own.

    Each process has a file of its own: the first that no other one holds. What others that are gone left behind in theirs,
    and what was set aside, is moved into it at the start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._waiting: list[tuple[bytes, asyncio.Future[Place]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def open(self) -> list[Place]:
        """Returns: what was left in it by the server before. Raises: OSError."""
        self._thread = ThreadPoolExecutor(1, "spool")
        return await self._in_thread(self._open)

    async def close(self) -> None:
        if self._writing:
            await self._writing
        self._thread.shutdown()
        os.close(self._file)

    async def adopt(self) -> list[Place]:
        """What processes that have ended since have left, which is in this one's file from now on. Raises: OSError."""
        return await self._in_thread(lambda: self._adopt(aside=False))

    async def append(self, content: bytes) -> Place:
        """Once this returns, the content is on disk, encrypted. Those that come meanwhile share the next write.

        Raises: OSError where the disk takes nothing.
        """
        place: asyncio.Future[Place] = asyncio.get_running_loop().create_future()
        self._waiting.append((content, place))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write_what_waits())
        return await asyncio.shield(place)

    async def read(self, place: Place) -> bytes:
        """The content of a record.

        Raises: OSError; cryptography.fernet.InvalidToken where SECRET_KEY is no longer the one it was encrypted under.
        """
        return await self._in_thread(lambda: vault.unseal(os.pread(self._file, place.length, place.start)))

    async def strike(self, places: Sequence[Place]) -> None:
        """Mark these records as worked in, so that no later start does it again. Raises: OSError."""
        await self._in_thread(lambda: self._strike(places))

    async def set_aside(self, place: Place) -> None:
        """Keep a record that can't be worked in, in a file of its own; the next start tries it again. Raises: OSError."""
        await self._in_thread(lambda: self._set_aside(place))

    async def clear(self) -> None:
        """Forget every record. Raises: OSError."""
        await self._in_thread(self._clear)

    async def _write_what_waits(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                places = await self._in_thread(lambda: self._write([content for content, _ in group]))  # noqa: B023
            except Exception as error:
                for _, waits in group:
                    waits.set_exception(error)
            else:
                for (_, waits), place in zip(group, places, strict=True):
                    waits.set_result(place)

    def _open(self) -> list[Place]:
        self._file = _first_free(self._folder)
        try:
            if hasattr(os, "posix_fallocate"):  # elsewhere the spool takes room as it needs it
                os.posix_fallocate(self._file, 0, RESERVED)
        except OSError as error:
            logger.error("no room could be reserved for callbacks that wait for the database: %s", error.strerror)
        found = _scan(self._file)
        self._end = found.end
        if found.damaged:
            self._keep_a_copy()
            _fill_with_zeros(self._file, self._end, os.fstat(self._file).st_size)
        return found.places + self._adopt(aside=True)

    def _keep_a_copy(self) -> None:
        """For whoever may mend it: some of it makes no sense."""
        copy = self._folder / f"spool.damaged-{time.strftime('%Y%m%d-%H%M%S')}"
        size = os.fstat(self._file).st_size
        try:
            copy.write_bytes(os.pread(self._file, size, 0).rstrip(b"\0"))
        except OSError as error:
            logger.error("the spool is damaged in places, and could not be copied: %s", error.strerror)
        else:
            logger.error("the spool is damaged in places; it goes on with what is whole, and a copy is in %s", copy)

    def _adopt(self, aside: bool) -> list[Place]:
        """Move what others left into this file, and perhaps what was set aside. In this order: after a crash in between it
        is there twice, and not lost."""
        places: list[Place] = []
        for path in sorted(self._folder.glob("spool.*")):
            if not _is_spool(path) or (path.name == ASIDE and not aside):
                continue
            file = _open_alone(path)
            if file is None:  # held by another process, or by this one
                continue
            try:
                left = _scan(file).places
                if left:
                    places += self._write_sealed([os.pread(file, place.length, place.start) for place in left])
                    _fill_with_zeros(file, 0, left[-1].start + left[-1].length)
            finally:
                os.close(file)
        return places

    def _write(self, contents: Sequence[bytes]) -> list[Place]:
        return self._write_sealed([vault.seal(content) for content in contents])

    def _write_sealed(self, contents: Sequence[bytes]) -> list[Place]:
        places, records = [], bytearray()
        for sealed in contents:
            records += _HEAD.pack(len(sealed), zlib.crc32(sealed))
            places.append(Place(self._end + len(records), len(sealed)))
            records += sealed
        _write_all(self._file, records + _END, self._end)
        os.fdatasync(self._file)
        self._end += len(records)
        return places

    def _strike(self, places: Sequence[Place]) -> None:
        for place in places:
            length = (place.length | _WORKED_IN).to_bytes(4)
            _write_all(self._file, length, place.start - _HEAD.size)
        os.fdatasync(self._file)

    def _set_aside(self, place: Place) -> None:
        sealed = os.pread(self._file, place.length, place.start)
        file = os.open(self._folder / ASIDE, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            record = _HEAD.pack(len(sealed), zlib.crc32(sealed)) + sealed
            _write_all(file, record + _END, _scan(file).end)
            os.fdatasync(file)
        finally:
            os.close(file)

    def _clear(self) -> None:
        """With zeros, and not by cutting the file off, which would give the reserved room away."""
        _fill_with_zeros(self._file, 0, min(self._end, RESERVED))
        if self._end > RESERVED:
            os.ftruncate(self._file, RESERVED)
        os.fdatasync(self._file)
        self._end = 0

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _is_spool(path: Path) -> bool:
    return path.name == ASIDE or bool(_NUMBERED.fullmatch(path.name))


def _left_in(path: Path) -> list[Place]:
    with path.open("rb") as file:
        return _scan(file.fileno()).places


def _first_free(folder: Path) -> int:
    files = (_open_alone(folder / f"spool.{number}") for number in itertools.count())
    return next(file for file in files if file is not None)


def _open_alone(path: Path) -> int | None:
    """The file, locked; None where somebody else holds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(file)
        return None
    return file


def _write_all(file: int, content: bytes | bytearray, start: int) -> None:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(file, rest, start)
        rest, start = rest[written:], start + written


def _fill_with_zeros(file: int, start: int, end: int) -> None:
    for at in range(start, end, PIECE):
        _write_all(file, bytes(min(PIECE, end - at)), at)


@dataclass(frozen=True)
class _Found:
    """What stands in a file."""

    places: list[Place]  # of the whole records that were not worked in
    end: int  # of the last record, in bytes
    damaged: bool  # whether anything stands there that is no whole record


def _scan(file: int) -> _Found:
    size, start = os.fstat(file).st_size, 0
    places: list[Place] = []
    damaged = False
    while (record := _record_at(file, start, size)) is not None:
        place, is_whole, was_worked_in = record
        if is_whole and not was_worked_in:
            places.append(place)
        if not is_whole:
            following = _record_at(file, place.start + place.length, size)
            if following is None or not following[1]:
                break
            damaged = True  # its length is right, since a whole one follows
        start = place.start + place.length
    return _Found(places, start, damaged or not _is_empty(file, start, size))


def _record_at(file: int, start: int, size: int) -> tuple[Place, bool, bool] | None:
    """Where its content stands, whether it is whole, and whether it was worked in; None where no record can begin."""
    head = os.pread(file, _HEAD.size, start)
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    place = Place(start + _HEAD.size, length & ~_WORKED_IN)
    if place.length == 0 or place.start + place.length > size:
        return None
    is_whole = zlib.crc32(os.pread(file, place.length, place.start)) == checksum
    return place, is_whole, bool(length & _WORKED_IN)


def _is_empty(file: int, start: int, end: int) -> bool:
    return not any(os.pread(file, min(PIECE, end - at), at).strip(b"\0") for at in range(start, end, PIECE))
