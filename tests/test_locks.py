from __future__ import annotations

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.db import connection

from calls.locks import alone, lock

from .installation import ROOT
from .threads import at_once
from .waiting import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_data_folder")]

# Another process: on the tests' own database and folder, it takes the lock, says so, and lives until it is killed.
HOLDER = """
import sys
import django
from django.conf import settings
django.setup()
settings.DATA_DIR = __import__("pathlib").Path(sys.argv[1])
settings.DATABASES["default"]["NAME"] = sys.argv[2]
from calls.locks import lock
assert lock("a").take()
print("held", flush=True)
sys.stdin.read()
"""


@contextmanager
def another_process_that_holds_it() -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(settings.DATA_DIR), str(connection.settings_dict["NAME"])]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout
        assert process.stdout.readline() == "held\n"
        yield process
    finally:
        process.kill()
        process.communicate()


def test_of_two_one_gets_it() -> None:
    first, second = lock("a"), lock("a")
    try:
        assert (first.take(), second.take()) == (True, False)
    finally:
        first.release()
        second.release()


def test_who_has_it_keeps_it() -> None:
    held = lock("a")
    assert [held.take() for _ in range(3)] == [True] * 3
    held.release()


def test_locks_of_other_names_are_others() -> None:
    first, second = lock("a"), lock("b")
    assert (first.take(), second.take()) == (True, True)
    first.release()
    second.release()


def test_what_is_released_can_be_taken_by_another() -> None:
    first, second = lock("a"), lock("a")
    assert first.take()
    first.release()
    assert second.take()
    second.release()


def test_what_another_process_holds_is_free_once_it_is_killed() -> None:
    mine = lock("a")
    with another_process_that_holds_it() as process:
        assert not mine.take()
        process.kill()
        eventually(mine.take)
    mine.release()


def test_many_who_wait_do_it_one_after_the_other() -> None:
    inside: list[int] = []

    def work(number: int) -> int:
        with alone("a"):
            inside.append(number)
            count = len(inside)
            time.sleep(0.005)
            inside.remove(number)
        return count

    assert at_once(8, work) == [1] * 8


def test_who_waits_gives_up_when_there_is_no_time_left() -> None:
    def none_left() -> float:
        raise TimeoutError

    held = lock("a")
    assert held.take()
    with pytest.raises(TimeoutError), alone("a", none_left):
        pass
    held.release()


def test_an_error_while_it_is_held_gives_it_back() -> None:
    with pytest.raises(KeyError), alone("a"):
        raise KeyError
    again = lock("a")
    assert again.take()
    again.release()


def test_no_transaction_is_open_while_it_is_held() -> None:
    """One that stayed open would keep PostgreSQL from tidying up, and an index from being made."""
    began = threading.Event()

    def hold() -> None:
        with alone("a"):
            began.set()
            let_go.wait(10)

    let_go = threading.Event()
    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert began.wait(10)
        assert open_transactions() == 0
    finally:
        let_go.set()
        thread.join()


def open_transactions() -> int:
    """Of others, on this database."""
    if connection.vendor == "sqlite":  # where the lock is a file's
        return 0
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
            " AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])
