"""Receipts: what pages say they have shown, from the socket to the call's record."""

from __future__ import annotations

import asyncio
import json
import time
from datetime import datetime, timedelta

import pytest
from django.utils import timezone

from calls.live import receipts
from calls.live.receipts import LATEST, LONGEST_AGO, LONGEST_MESSAGE, Book, Numbers, Receipts, Told, read
from calls.models import Call
from calls.models.person import Sight
from tests.databases import locked_database
from tests.desk import Desk
from tests.factory import make_account, make_call, make_team

from .sockets import card, close_code, next_with, socket_of

ALL = Sight(all=True)
SECOND = timedelta(seconds=1)


def said(*shown: list[int]) -> str:
    return json.dumps({"shown": shown})


# What pages say


def test_what_a_page_says_is_read() -> None:
    assert read(said([7, 250, 1], [8, 0, 0])) == [7, 250, 1, 8, 0, 0]


def test_a_sign_of_life_alone_is_read() -> None:
    assert read(said()) == []


@pytest.mark.parametrize(("ago", "taken_as"), [(-5, 0), (10**40, LONGEST_AGO)])
def test_times_out_of_all_bounds_are_brought_into_them(ago: int, taken_as: int) -> None:
    assert read(said([7, ago, 0])) == [7, taken_as, 0]


@pytest.mark.parametrize(
    "message",
    [
        "",
        "<script>",
        "[" * 5000,
        "null",
        "[]",
        "{}",
        '{"shown": 1}',
        '{"shown": [7]}',
        '{"shown": [[7, 1]]}',
        '{"shown": [["7", 1, 1]]}',
        '{"shown": [[7, 1.5, 1]]}',
        '{"shown": [[7, NaN, 1]]}',
        '{"shown": [[true, 1, 1]]}',
        '{"shown": [[7, 1, 2]]}',
        '{"shown": [[0, 1, 1]]}',
        '{"shown": [[9223372036854775808, 1, 1]]}',
        '{"shown": [[' + "9" * 5000 + ", 1, 1]]}",
        said() + " " * LONGEST_MESSAGE,
    ],
    ids=range(18),
)
def test_what_makes_no_sense_is_not_read(message: str) -> None:
    assert read(message) is None


# What counts


def told(
    *calls: Call, screen: str = "one", sight: Sight = ALL, ago: float = 0, sound: bool = False, heard_ago: float = 0
) -> Told:
    """That they were shown so many seconds ago, and that it was heard so many seconds ago."""
    heard_at = timezone.now().timestamp() - heard_ago
    return Told(
        screen, sight, heard_at, [number for call in calls for number in (call.pk, round((ago - heard_ago) * 1000), sound)]
    )


def record(call: Call) -> tuple[datetime | None, int | None, int]:
    call.refresh_from_db()
    return call.shown_at, call.screens, call.screens_with_sound


def nearly(moment: datetime | None, ago: float) -> bool:
    return moment is not None and abs(timezone.now() - ago * SECOND - moment) < 0.5 * SECOND


@pytest.mark.django_db
def test_screens_are_counted_and_the_first_one_gives_the_time() -> None:
    call, book = make_call(received_at=timezone.now() - 10 * SECOND), Book()
    book.enter([told(call, ago=5), told(call, screen="two", ago=8, sound=True)])
    book.enter([told(call, screen="three", ago=2)])
    at, *counts = record(call)
    assert counts == [3, 1]
    assert nearly(at, ago=8)


@pytest.mark.django_db
def test_an_earlier_screen_that_tells_later_gives_the_time() -> None:
    call, book = make_call(received_at=timezone.now() - 10 * SECOND), Book()
    book.enter([told(call, ago=5)])
    book.enter([told(call, screen="two", ago=7)])
    assert nearly(record(call)[0], ago=7)


@pytest.mark.django_db
def test_a_call_is_never_shown_before_it_came() -> None:
    call = make_call()
    Book().enter([told(call, ago=3600)])
    assert record(call)[0] == call.received_at


@pytest.mark.django_db
def test_a_call_is_never_shown_in_the_future() -> None:
    call = make_call()
    Book().enter([told(call, ago=-30)])
    shown_at = record(call)[0]
    assert shown_at is not None
    assert shown_at <= timezone.now()


@pytest.mark.django_db
def test_sound_that_comes_later_counts_no_screen_again() -> None:
    call, book = make_call(), Book()
    book.enter([told(call)])
    book.enter([told(call, sound=True)])
    assert record(call)[1:] == (1, 1)


@pytest.mark.django_db
def test_several_calls_of_one_page_are_told_apart() -> None:
    first, second = make_call(), make_call()
    Book().enter([told(first, second), told(second, screen="two", sound=True)])
    assert (record(first)[1:], record(second)[1:]) == ((1, 0), (2, 1))


@pytest.mark.django_db
def test_the_version_of_a_call_stays() -> None:
    call = make_call()
    Book().enter([told(call)])
    call.refresh_from_db()
    assert call.version == 0


@pytest.mark.django_db
def test_who_may_not_see_a_call_confirms_none() -> None:
    ours, theirs = make_team(), make_team()
    call = make_call(make_account(team=theirs))
    Book().enter([told(call, sight=Sight(False, frozenset({ours.pk})))])
    assert record(call) == (None, 0, 0)


@pytest.mark.django_db
def test_a_call_that_nobody_knows_is_confirmed_by_nobody() -> None:
    Book().enter([Told("one", ALL, timezone.now().timestamp(), [2**63 - 1, 0, 0])])
    assert not Call.objects.exists()


@pytest.mark.django_db
def test_a_call_that_rings_no_more_is_confirmed_by_who_saw_it_ring_alone() -> None:
    over = make_call(received_at=timezone.now() - 61 * SECOND)
    ended = make_call(received_at=timezone.now() - 10 * SECOND, ended_at=timezone.now() - 5 * SECOND)
    Book().enter([told(over, ended, screen="late", ago=0.5), told(over, ended, screen="in time", ago=7)])
    for call in (over, ended):
        at, *counts = record(call)
        assert counts == [1, 0]
        assert nearly(at, ago=7)


@pytest.mark.django_db
def test_after_a_while_a_call_is_confirmed_no_more() -> None:
    call = make_call(received_at=timezone.now() - 61 * SECOND - LATEST)
    Book().enter([told(call, ago=60 + LATEST.total_seconds())])
    assert record(call) == (None, 0, 0)


@pytest.mark.django_db
def test_what_was_told_in_time_counts_however_late_the_database_takes_it() -> None:
    call = make_call(received_at=timezone.now() - 300 * SECOND)
    Book().enter([told(call, ago=299, heard_ago=298)])
    assert record(call)[1] == 1
    assert not call.unseen


# On the way there


async def stored(call: Call, screens: int, with_sound: int = 0) -> None:
    async with asyncio.timeout(5):
        while True:
            await call.arefresh_from_db()
            if (call.screens, call.screens_with_sound) == (screens, with_sound):
                return
            await asyncio.sleep(0.01)


@pytest.mark.django_db(transaction=True)
async def test_a_screen_counts_once_however_often_it_tells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "STORED_EVERY", 0.01)
    call = await asyncio.to_thread(make_call)
    taking = Receipts()
    storing = asyncio.create_task(taking.keep_storing())
    taking.take("one", ALL, [call.pk, 5, 0, call.pk, 9, 0])
    await stored(call, 1)
    taking.take("one", ALL, [call.pk, 9, 0])
    taking.take("two", ALL, [call.pk, 9, 0])
    await stored(call, 2)
    taking.take("one", ALL, [call.pk, 9, 1])
    await stored(call, 2, 1)
    taking.take("one", ALL, [call.pk, 9, 1])
    taking.take("three", ALL, [call.pk, 9, 1])
    await stored(call, 3, 2)
    storing.cancel()
    await asyncio.gather(storing, return_exceptions=True)


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
async def test_receipts_wait_while_somebody_else_holds_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "STORED_EVERY", 0.01)
    call = await asyncio.to_thread(make_call)
    taking = Receipts()
    storing = asyncio.create_task(taking.keep_storing())
    with locked_database():
        taking.take("one", ALL, [call.pk, 5, 1])
        await asyncio.sleep(0.5)  # several attempts
        await call.arefresh_from_db()
        assert call.screens == 0
    await stored(call, 1, 1)
    storing.cancel()
    await asyncio.gather(storing, return_exceptions=True)


@pytest.mark.django_db(transaction=True)
async def test_what_was_not_stored_yet_is_stored_at_the_end() -> None:
    call = await asyncio.to_thread(make_call)
    taking = Receipts()
    storing = asyncio.create_task(taking.keep_storing())
    await asyncio.sleep(0)
    taking.take("one", ALL, [call.pk, 5, 0])
    storing.cancel()
    await asyncio.gather(storing, return_exceptions=True)
    await stored(call, 1)


async def test_notes_that_can_not_be_stored_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "MOST_TOLD", 10)
    taking = Receipts()
    for pk in range(1, 20):
        taking.take("one", ALL, [pk, 5, 0])
    assert len(taking._told) == 10


def test_a_number_of_a_screen_is_given_to_another_one_only_once_no_call_needs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(receipts, "SCREENS_KEPT", 1)
    numbers = Numbers()
    before = {screen: numbers.bit(screen) for screen in "abcdef"}
    numbers.keep(before["a"] | before["d"])
    after = {screen: numbers.bit(screen) for screen in "aghijkd"}
    assert (after["a"], after["d"]) == (before["a"], before["d"])
    assert len(set(after.values())) == len(after)
    assert set(before.values()) < set(after.values())


# On the real server


def confirmed(desk: Desk, pk: int, screens: int, with_sound: int) -> str:
    """Wait until so many screens are on record; the time of the first."""
    give_up_at = time.monotonic() + 5
    while time.monotonic() < give_up_at:
        [(at, *counts)] = desk.server.sql("SELECT shown_at, screens, screens_with_sound FROM calls_call WHERE id = ?", pk)
        if counts == [screens, with_sound]:
            return str(at)
        time.sleep(0.02)
    raise AssertionError(f"on record: {counts}")


def test_two_screens_confirm_a_call(desk: Desk) -> None:
    one, other = desk.staffed(2)
    pk = desk.call_pk(desk.call())
    with socket_of(desk.server, one) as first, socket_of(desk.server, other) as second:
        for socket, sound in ((first, 1), (second, 0)):
            card(next_with(socket, 'id="board"'), pk)
            socket.send(said([pk, 0, sound]))
        confirmed(desk, pk, 2, 1)


def test_a_screen_that_comes_back_is_the_same_one(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    pk = desk.call_pk(desk.call())
    for _ in range(2):
        with socket_of(desk.server, agent, screen="a-tab-of-mine") as socket:
            next_with(socket, 'id="board"')
            socket.send(said([pk, 0, 0]))
            confirmed(desk, pk, 1, 0)
    with socket_of(desk.server, agent, screen="another-tab") as socket:
        socket.send(said([pk, 0, 0]))
        confirmed(desk, pk, 2, 0)


def test_a_screen_whose_name_makes_no_sense_is_one_of_its_own(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    pk = desk.call_pk(desk.call())
    for screens, name in enumerate(("short", "%00" * 20, "x" * 65), start=1):
        with socket_of(desk.server, agent, screen=name) as socket:
            next_with(socket, 'id="board"')
            socket.send(said([pk, 0, 0]))
            confirmed(desk, pk, screens, 0)


def test_another_teams_call_can_not_be_confirmed(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    other = Desk(desk.server, desk.vendor)
    other.staffed(1)
    theirs, ours = other.call_pk(other.call()), desk.call_pk(desk.call())
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        socket.send(said([theirs, 0, 1], [ours, 0, 0]))
        confirmed(desk, ours, 1, 0)
    confirmed(other, theirs, 0, 0)


def test_what_makes_no_sense_leaves_nothing_in_the_log(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    log = desk.server.folder / "server.log"
    before = log.read_text()
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        for message in ("<script>", "[" * 15_000, '{"shown": [[1e999, -1, null]]}', b"\xff\x00", ""):
            socket.send(message)
        pk = desk.call_pk(desk.call())
        socket.send(said([pk, 0, 0]))
        confirmed(desk, pk, 1, 0)
    assert "Traceback" not in log.read_text().removeprefix(before)


@pytest.mark.parametrize("frame", [b"\xff\x00", b"x" * 70_000], ids=["no-text", "too-long"])
def test_a_socket_that_breaks_the_rules_is_closed_and_leaves_nothing_in_the_log(desk: Desk, frame: bytes) -> None:
    [agent] = desk.staffed(1)
    log = desk.server.folder / "server.log"
    before = log.read_text()
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        socket.send(frame, text=True)
        assert close_code(socket) in {1006, 1009}
    assert "Traceback" not in log.read_text().removeprefix(before)
