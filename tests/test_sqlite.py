"""Connections to SQLite, handed on from thread to thread, and transactions that take turns."""

from __future__ import annotations

import shutil
import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import TypeVar

import pytest
from django.db import DatabaseError, OperationalError, connection, transaction

from calls.models import Team
from calls.sqlite import base

from .databases import locked_database
from .factory import make_team
from .threads import at_once

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.sqlite_only]

T = TypeVar("T")


def in_thread(work: Callable[[], T]) -> T:
    """What another thread finds, which closes its connection in the end, as that of a request does."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: _and_close(work)).result(20)


def _and_close(work: Callable[[], T]) -> T:
    try:
        return work()
    finally:
        connection.close()


def its_connection() -> sqlite3.Connection:
    connection.ensure_connection()
    found: sqlite3.Connection = connection.connection
    return found


def names() -> list[str]:
    return list(Team.objects.order_by("name").values_list("name", flat=True))


def test_a_connection_that_is_closed_serves_the_next_thread() -> None:
    first = in_thread(its_connection)
    assert in_thread(its_connection) is first


def test_two_threads_never_have_the_same_connection() -> None:
    inside = threading.Barrier(8)

    def work(_: int) -> sqlite3.Connection:
        found = its_connection()
        inside.wait(10)
        return found

    assert len(set(at_once(8, work))) == 8


def test_no_more_are_kept_than_a_few() -> None:
    inside = threading.Barrier(8)

    def work(_: int) -> None:
        its_connection()
        inside.wait(10)

    at_once(8, work)
    assert len(base._idle._kept) == 4


def test_what_was_not_read_to_the_end_has_nobody_see_old_rows() -> None:
    for number in range(300):
        make_team(name=f"{number:03}")
    half_read = []

    def read_one() -> None:
        rows = Team.objects.iterator(chunk_size=1)
        next(rows)
        half_read.append(rows)

    in_thread(read_one)
    make_team(name="new")
    assert in_thread(names)[-1] == "new"


def test_a_connection_that_was_closed_in_a_transaction_is_not_handed_on() -> None:
    def give_up_half_way() -> sqlite3.Connection:
        with suppress(DatabaseError), transaction.atomic():
            make_team(name="never")
            found = its_connection()
            connection.close()
        return found

    left = in_thread(give_up_half_way)
    assert in_thread(its_connection) is not left
    assert in_thread(names) == []


def test_a_file_that_was_replaced_is_opened_anew() -> None:
    make_team(name="before")
    file = Path(connection.settings_dict["NAME"])
    connection.close()
    in_thread(names)
    copy = file.with_suffix(".copy")
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    shutil.copy(file, copy)
    with closing(sqlite3.connect(copy)) as database, database:
        database.execute("UPDATE calls_team SET name = 'of the other file'")
    for end in ("-wal", "-shm"):
        file.with_name(file.name + end).unlink(missing_ok=True)
    copy.replace(file)
    assert in_thread(names) == ["of the other file"]


def test_all_transactions_of_many_threads_come_through() -> None:
    def write(number: int) -> None:
        for turn in range(10):
            with transaction.atomic():
                make_team(name=f"{number} {turn}")
                Team.objects.count()

    at_once(8, write)
    assert Team.objects.count() == 80


def test_a_transaction_that_failed_lets_the_next_one_begin() -> None:
    def fail() -> None:
        with suppress(ZeroDivisionError), transaction.atomic():
            make_team(name="never")
            raise ZeroDivisionError

    in_thread(fail)
    assert not base._turn.locked()
    in_thread(lambda: make_team(name="then"))
    assert names() == ["then"]


def test_a_transaction_that_could_not_begin_holds_nobody_up() -> None:
    def begin() -> None:
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA busy_timeout = 50")
        with pytest.raises(OperationalError, match="locked"), transaction.atomic():
            pass

    with locked_database():
        in_thread(begin)
    assert not base._turn.locked()


def test_one_that_takes_long_is_waited_for_by_sqlite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "TURN_WITHIN", 0.01)
    begun, done = threading.Event(), threading.Event()

    def take_long() -> None:
        with transaction.atomic():
            make_team(name="long")
            begun.set()
            assert done.wait(10)

    def wait() -> None:
        assert begun.wait(10)
        threading.Timer(0.2, done.set).start()
        with transaction.atomic():
            make_team(name="waited")

    at_once(2, lambda number: [take_long, wait][number]())
    assert names() == ["long", "waited"]
