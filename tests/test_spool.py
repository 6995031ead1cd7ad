"""The spool: what comes back out of it after a crash, and what never does."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TypeVar

import pytest

from calls.spool import RESERVED, Spool

from .diskfull import room_for

pytestmark = pytest.mark.engineless

T = TypeVar("T")

MIB = 1024 * 1024


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[tuple[Spool, list[bytes]]]:
    """A spool, and what was left in it."""
    spool = Spool(folder)
    left_over = [await spool.read(place) for place in await spool.open()]
    try:
        yield spool, left_over
    finally:
        await spool.close()


def with_spool(folder: Path, work: Callable[[Spool], Awaitable[T]]) -> T:
    async def run() -> T:
        async with opened(folder) as (spool, _):
            return await work(spool)

    return asyncio.run(run())


def put(folder: Path, *contents: bytes) -> None:
    """Leave these in the spool, as a server that is killed would."""

    async def work(spool: Spool) -> None:
        await asyncio.gather(*(spool.append(content) for content in contents))

    with_spool(folder, work)


def left_in(folder: Path) -> list[bytes]:
    async def run() -> list[bytes]:
        async with opened(folder) as (_, left_over):
            return left_over

    return asyncio.run(run())


def file_in(folder: Path) -> Path:
    return folder / "spool.0"


def test_records_are_there_again_after_it_is_opened_anew(tmp_path: Path) -> None:
    put(tmp_path, b"first", b"", b"third")
    put(tmp_path, b"fourth")
    assert left_in(tmp_path) == [b"first", b"", b"third", b"fourth"]


def test_a_record_can_be_read_as_soon_as_it_is_on_disk(tmp_path: Path) -> None:
    async def work(spool: Spool) -> list[bytes]:
        places = [await spool.append(content) for content in (b"one", b"two")]
        return [await spool.read(place) for place in places]

    assert with_spool(tmp_path, work) == [b"one", b"two"]


def test_a_large_body_fits(tmp_path: Path) -> None:
    bodies = [os.urandom(MIB) for _ in range(3)]
    put(tmp_path, *bodies)
    assert left_in(tmp_path) == bodies


def test_it_grows_beyond_what_is_reserved_and_gives_that_back_when_it_is_cleared(tmp_path: Path) -> None:
    async def work(spool: Spool) -> int:
        for _ in range(14):
            await spool.append(bytes(MIB))
        grown = file_in(tmp_path).stat().st_size
        await spool.clear()
        return grown

    assert with_spool(tmp_path, work) > RESERVED
    assert file_in(tmp_path).stat().st_size == RESERVED
    assert left_in(tmp_path) == []


def test_its_room_is_taken_on_disk_before_it_is_needed_and_stays_taken(tmp_path: Path) -> None:
    async def work(spool: Spool) -> list[int]:
        sizes = [file_in(tmp_path).stat().st_blocks * 512]
        await spool.append(b"x" * MIB)
        await spool.clear()
        return [*sizes, file_in(tmp_path).stat().st_blocks * 512]

    assert min(with_spool(tmp_path, work)) >= RESERVED


def test_what_comes_at_one_moment_is_written_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    syncs: list[int] = []
    sync = os.fdatasync

    def noted(file: int) -> None:
        syncs.append(file)
        sync(file)

    monkeypatch.setattr(os, "fdatasync", noted)
    contents = [b"%d" % number for number in range(100)]
    put(tmp_path, *contents)
    assert len(syncs) <= 2
    assert left_in(tmp_path) == contents


def end_of(folder: Path, *contents: bytes) -> int:
    """Where the last of these records ends."""

    async def work(spool: Spool) -> int:
        places = [await spool.append(content) for content in contents]
        return places[-1].start + places[-1].length

    return with_spool(folder, work)


@pytest.mark.parametrize("missing", [1, 20, 100])
def test_a_record_that_was_being_written_when_the_machine_stopped_is_none(tmp_path: Path, missing: int) -> None:
    end = end_of(tmp_path, b"whole", b"torn")
    with file_in(tmp_path).open("r+b") as file:
        file.seek(end - missing)
        file.write(bytes(missing))
    assert left_in(tmp_path) == [b"whole"]
    put(tmp_path, b"next")
    assert left_in(tmp_path) == [b"whole", b"next"]


def test_a_file_that_was_cut_off_gives_its_whole_records(tmp_path: Path) -> None:
    end = end_of(tmp_path, b"whole", b"torn")
    os.truncate(file_in(tmp_path), end - 3)
    assert left_in(tmp_path) == [b"whole"]


@pytest.mark.parametrize(
    "garbage", [os.urandom(4096), b"\xff" * 64, b"\x00\x00\x00\x04abcdefgh", b"\x7f\xff\xff\xff" + bytes(60)]
)
def test_garbage_behind_the_last_record_is_none(tmp_path: Path, garbage: bytes) -> None:
    end = end_of(tmp_path, b"whole")
    with file_in(tmp_path).open("r+b") as file:
        file.seek(end)
        file.write(garbage)
    assert left_in(tmp_path) == [b"whole"]
    put(tmp_path, b"next")
    assert left_in(tmp_path) == [b"whole", b"next"]


@pytest.mark.parametrize("content", [b"", bytes(10), bytes(MIB), b"no record at all"])
def test_a_file_without_a_record_is_empty(tmp_path: Path, content: bytes) -> None:
    file_in(tmp_path).write_bytes(content)
    assert left_in(tmp_path) == []
    put(tmp_path, b"next")
    assert left_in(tmp_path) == [b"next"]


def test_what_was_cleared_never_comes_back(tmp_path: Path) -> None:
    async def work(spool: Spool) -> None:
        for _ in range(5):
            await spool.append(b"of old times")
        await spool.clear()
        await spool.append(b"of old times")  # exactly over the first one: the second one would be next

    with_spool(tmp_path, work)
    assert left_in(tmp_path) == [b"of old times"]


def test_a_clear_that_stopped_half_way_forgets_or_keeps_but_invents_nothing(tmp_path: Path) -> None:
    contents = [b"%d" % number for number in range(20)]
    put(tmp_path, *contents)
    whole = file_in(tmp_path).read_bytes()
    for zeroed in range(0, 4000, 97):
        file_in(tmp_path).write_bytes(bytes(zeroed) + whole[zeroed:])
        assert left_in(tmp_path) == ([] if zeroed else contents)


def test_a_disk_that_takes_nothing_is_an_error_and_the_next_append_works(tmp_path: Path) -> None:
    async def work(spool: Spool) -> None:
        await spool.append(b"before")
        with room_for(1000), pytest.raises(OSError, match="File too large"):
            await spool.append(bytes(2000))
        await spool.append(b"afterwards")

    with_spool(tmp_path, work)
    assert left_in(tmp_path) == [b"before", b"afterwards"]


def test_a_group_that_the_disk_took_in_part_does_not_come_back(tmp_path: Path) -> None:
    async def work(spool: Spool) -> None:
        with room_for(1000):
            answers = await asyncio.gather(*(spool.append(b"refused") for _ in range(20)), return_exceptions=True)
        assert {type(answer) for answer in answers} == {OSError}
        await spool.append(b"written")  # as long as the refused ones: it ends where one of them begins

    with_spool(tmp_path, work)
    assert left_in(tmp_path) == [b"written"]


def test_several_that_wait_while_the_disk_takes_nothing_are_all_told(tmp_path: Path) -> None:
    async def work(spool: Spool) -> list[object]:
        with room_for(10):
            return await asyncio.gather(*(spool.append(b"x") for _ in range(30)), return_exceptions=True)

    assert all(isinstance(answer, OSError) for answer in with_spool(tmp_path, work))


def test_a_disk_without_room_to_reserve_is_said_and_does_not_stop_it(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def run() -> None:
        spool = Spool(tmp_path)
        with room_for(MIB):
            await spool.open()
            await spool.append(b"a callback")
        await spool.close()

    asyncio.run(run())
    assert "no room could be reserved" in caplog.text
    assert left_in(tmp_path) == [b"a callback"]


def test_two_servers_take_two_files_and_what_a_dead_one_left_is_moved_over(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as (first, _):
            await first.append(b"first")
            async with opened(tmp_path) as (second, left_over):
                assert left_over == []
                await second.append(b"second")
        async with opened(tmp_path) as (_, left_over):
            assert left_over == [b"first", b"second"]
            async with opened(tmp_path) as (_, nothing):
                assert nothing == []

    asyncio.run(run())
    assert left_in(tmp_path) == [b"first", b"second"]


def test_what_was_struck_does_not_come_back(tmp_path: Path) -> None:
    async def strike(spool: Spool) -> None:
        places = [await spool.append(b"%d" % number) for number in range(4)]
        await spool.strike([places[0], places[2]])
        assert await spool.read(places[2]) == b"2"

    with_spool(tmp_path, strike)
    assert left_in(tmp_path) == [b"1", b"3"]


def test_what_was_set_aside_comes_back_at_the_next_start(tmp_path: Path) -> None:
    async def set_aside(spool: Spool) -> None:
        places = [await spool.append(b"%d" % number) for number in range(3)]
        for place in places[:2]:
            await spool.set_aside(place)
        await spool.clear()

    with_spool(tmp_path, set_aside)
    assert left_in(tmp_path) == [b"0", b"1"]
    assert left_in(tmp_path) == [b"0", b"1"]  # moved once


@pytest.mark.parametrize("at", [0, 20])  # in its checksum; in its content
def test_a_record_that_was_damaged_costs_no_other_and_a_copy_is_kept(
    tmp_path: Path, at: int, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, b"1", b"2", b"3")
    content = bytearray(file_in(tmp_path).read_bytes())
    second = 8 + int.from_bytes(content[:4])
    content[second + 4 + at] ^= 1
    file_in(tmp_path).write_bytes(content)
    assert left_in(tmp_path) == [b"1", b"3"]
    assert "damaged" in caplog.text
    [copy] = tmp_path.glob("spool.damaged-*")
    assert copy.read_bytes() == bytes(content).rstrip(b"\0")


def test_records_behind_one_whose_length_was_damaged_are_kept_in_a_copy(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, b"1", b"2", b"3")
    content = bytearray(file_in(tmp_path).read_bytes())
    content[0:8] = bytes(8)
    file_in(tmp_path).write_bytes(content)
    assert left_in(tmp_path) == []
    assert "damaged" in caplog.text
    [copy] = tmp_path.glob("spool.damaged-*")
    assert copy.read_bytes() == bytes(content).rstrip(b"\0")


def test_what_waits_can_not_be_read_from_the_disk(tmp_path: Path) -> None:
    put(tmp_path, b"password: geranium")
    assert b"geranium" not in file_in(tmp_path).read_bytes()
    assert file_in(tmp_path).stat().st_mode & 0o077 == 0


def test_what_was_being_written_is_on_disk_once_it_is_closed(tmp_path: Path) -> None:
    async def run() -> None:
        async with opened(tmp_path) as (spool, _):
            waits = asyncio.ensure_future(spool.append(b"the last one"))
            await asyncio.sleep(0)  # it has been handed over
        await waits

    asyncio.run(run())
    assert left_in(tmp_path) == [b"the last one"]
