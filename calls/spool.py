"""The spool: a file in which callbacks wait, encrypted, while the database can't take them.

A record is its length and its CRC-32 (4 bytes each, big-endian), then its content. Records follow one another from the
beginning, and behind the last one stand 8 zeros. So what was forgotten, or could not be written whole, never comes back; and
a record that was being written when the machine stopped is told from a whole one: nobody was told that it was safe.

The file's first megabytes are reserved on disk at the start, so that callbacks are kept on a disk that is full, too.
"""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import logging
import os
import struct
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from . import vault

logger = logging.getLogger(__name__)

T = TypeVar("T")

RESERVED = 16 * 1024 * 1024  # bytes: a call takes about 1,000

_HEAD = struct.Struct(">II")
_END = bytes(_HEAD.size)


@dataclass(frozen=True)
class Place:
    """Where a record's content stands in the file, in bytes."""

    start: int
    length: int


class Spool:
    """Open and close it with the server. For one event loop; the file is touched in a thread of the spool's own.

    Each process has a file of its own: the first that no other one holds, so that what a dead one left is found.
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
        places = list(_places_in(self._file))
        self._end = places[-1].start + places[-1].length if places else 0
        return places

    def _write(self, contents: list[bytes]) -> list[Place]:
        places, records = [], bytearray()
        for content in contents:
            sealed = vault.seal(content)
            records += _HEAD.pack(len(sealed), zlib.crc32(sealed))
            places.append(Place(self._end + len(records), len(sealed)))
            records += sealed
        _write_all(self._file, records + _END, self._end)
        os.fdatasync(self._file)
        self._end += len(records)
        return places

    def _clear(self) -> None:
        """With zeros, and not by cutting the file off, which would give the reserved room away."""
        _write_all(self._file, bytes(min(self._end, RESERVED)), 0)
        if self._end > RESERVED:
            os.ftruncate(self._file, RESERVED)
        os.fdatasync(self._file)
        self._end = 0

    async def _in_thread(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)


def _first_free(folder: Path) -> int:
    for number in itertools.count():
        file = os.open(folder / f"spool.{number}", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(file)
        else:
            return file
    raise AssertionError("unreachable: there is no end of numbers")


def _write_all(file: int, content: bytes | bytearray, start: int) -> None:
    rest = memoryview(content)
    while rest:
        written = os.pwrite(file, rest, start)
        rest, start = rest[written:], start + written


def _places_in(file: int) -> Iterator[Place]:
    """Every whole record, up to the first that is none."""
    size, start = os.fstat(file).st_size, 0
    while start + _HEAD.size <= size:
        length, checksum = _HEAD.unpack(os.pread(file, _HEAD.size, start))
        start += _HEAD.size
        if length == 0 or start + length > size:
            return
        if zlib.crc32(os.pread(file, length, start)) != checksum:
            return
        yield Place(start, length)
        start += length
