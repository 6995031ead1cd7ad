"""For how long PostgreSQL is waited for, and which of its errors say that it can't take anything now."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from django.db import Error as DatabaseError
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.utils import ConnectionHandler

from bench.postgres import Postgres
from calls import patience
from calls.postgresql.base import Connection
from calls.results import DATABASE_AWAY
from calls.writer import is_away

from .installation import ROOT
from .server import free_port

pytestmark = [pytest.mark.django_db, pytest.mark.engineless]

Fault = Callable[[BaseDatabaseWrapper], object]


@pytest.fixture
def hanging(postgresql: Postgres) -> Iterator[Connection]:
    with Connection.connect(postgresql.url("postgres"), autocommit=True) as connection:
        yield connection


def test_an_answer_that_does_not_come_in_time_is_waited_for_no_longer(hanging: Connection) -> None:
    began = time.monotonic()
    with patience.within(0.3), pytest.raises(psycopg.OperationalError, match=r"no answer within 0\.3 s"):
        hanging.execute("SELECT pg_sleep(30)")
    assert time.monotonic() - began < 5
    assert hanging.closed


def test_it_is_waited_for_without_end_where_nothing_else_is_said(hanging: Connection) -> None:
    hanging.execute("SELECT pg_sleep(0.3)")
    with patience.within(0.1), patience.within(None):
        hanging.execute("SELECT pg_sleep(0.3)")


def test_a_thread_of_its_own_is_not_hurried_by_another(hanging: Connection) -> None:
    with patience.within(0.1):
        thread = threading.Thread(target=lambda: hanging.execute("SELECT pg_sleep(0.5)"))
        thread.start()
        thread.join()
    assert not hanging.closed


def test_a_wait_with_a_time_of_its_own_costs_no_connection(hanging: Connection) -> None:
    with patience.within(0.1):
        assert list(hanging.notifies(timeout=0.3)) == []
    assert not hanging.closed


TIMEOUTS = """
from django.db import connection
from calls import patience

def shown():
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('lock_timeout'), current_setting('statement_timeout')")
        print(*cursor.fetchone(), patience.in_seconds())

shown()
patience.hurry()
connection.close()
shown()
with patience.without_end():
    shown()
shown()
"""


def test_a_server_and_its_database_give_up_in_time_and_commands_never(postgresql: Postgres, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "--command", TIMEOUTS],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "DATABASE_URL": postgresql.url("postgres")},
    )  # fmt: skip
    assert done.stdout.splitlines() == ["5s 0 None", "5s 25s 20.0", "0 0 None", "5s 25s 20.0"], done.stderr


@pytest.fixture
def database(postgresql: Postgres) -> Iterator[BaseDatabaseWrapper]:
    """A connection as Django makes them, of somebody who is no administrator."""
    with psycopg.connect(postgresql.url("postgres"), autocommit=True) as admin:
        if not admin.execute("SELECT 1 FROM pg_roles WHERE rolname = 'somebody'").fetchone():
            admin.execute("CREATE ROLE somebody LOGIN")
            admin.execute("CREATE ROLE nobody_else LOGIN CONNECTION LIMIT 0")
            admin.execute("CREATE TABLE things (id int PRIMARY KEY, name varchar(3))")
            admin.execute("INSERT INTO things VALUES (1, 'one'), (2, 'two')")
            admin.execute("GRANT ALL ON things TO somebody")
    database = connected(urlsplit(postgresql.url("postgres")).port or 0)
    yield database
    database.close()


def connected(port: int, user: str = "somebody") -> BaseDatabaseWrapper:
    settings = {"ENGINE": "calls.postgresql", "HOST": "127.0.0.1", "PORT": port, "USER": user, "NAME": "postgres"}
    return ConnectionHandler({"default": settings | {"OPTIONS": {"connect_timeout": 3}}})["default"]


def admin_of(database: BaseDatabaseWrapper) -> psycopg.Connection:
    return psycopg.connect(host="127.0.0.1", port=database.settings_dict["PORT"], user="ringdesk", dbname="postgres")


def run(database: BaseDatabaseWrapper, *statements: str) -> None:
    with database.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def other(database: BaseDatabaseWrapper, *statements: str) -> None:
    """Somebody else does this, and ends."""
    with admin_of(database) as admin:
        for statement in statements:
            admin.execute(statement)


def ended_by_the_server(database: BaseDatabaseWrapper) -> None:
    run(database, "SELECT 1")
    other(database, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'somebody'")
    run(database, "SELECT 1")


def idle_for_too_long(database: BaseDatabaseWrapper) -> None:
    database.set_autocommit(False)
    run(database, "SET idle_in_transaction_session_timeout = 50", "SELECT 1")
    time.sleep(0.3)  # what is to happen meanwhile is the fault itself
    run(database, "SELECT 1")


def no_connection_left(database: BaseDatabaseWrapper) -> None:
    run(connected(database.settings_dict["PORT"], "nobody_else"), "SELECT 1")


def nobody_there(database: BaseDatabaseWrapper) -> None:
    run(connected(free_port()), "SELECT 1")


def no_answer(database: BaseDatabaseWrapper) -> None:
    with patience.within(0.1):
        run(database, "SELECT pg_sleep(9)")


def closed_after_that(database: BaseDatabaseWrapper) -> None:
    with patience.within(0.1), pytest.raises(DatabaseError):
        run(database, "SELECT pg_sleep(9)")
    run(database, "SELECT 1")


def only_a_standby(database: BaseDatabaseWrapper) -> None:
    run(database, "SET default_transaction_read_only = on", "INSERT INTO things VALUES (3, 'x')")


def locked(database: BaseDatabaseWrapper) -> None:
    run(database, "SET lock_timeout = 50")
    with admin_of(database) as admin:
        admin.execute("LOCK TABLE things")
        run(database, "SELECT * FROM things")


def too_slow(database: BaseDatabaseWrapper) -> None:
    run(database, "SET statement_timeout = 50", "SELECT pg_sleep(9)")


def deadlocked(database: BaseDatabaseWrapper) -> None:
    database.set_autocommit(False)
    run(database, "UPDATE things SET name = 'x' WHERE id = 1")
    with admin_of(database) as admin:
        admin.execute("SET deadlock_timeout = '1h'")  # so that it is the other side that finds it
        admin.execute("UPDATE things SET name = 'x' WHERE id = 2")
        waiting = threading.Thread(target=lambda: admin.execute("UPDATE things SET name = 'x' WHERE id = 1"))
        waiting.start()
        try:
            run(database, "UPDATE things SET name = 'x' WHERE id = 2")
        finally:
            database.rollback()
            waiting.join()
            admin.rollback()


def overtaken(database: BaseDatabaseWrapper) -> None:
    database.set_autocommit(False)
    run(database, "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ", "SELECT * FROM things")
    other(database, "UPDATE things SET name = 'y'")
    run(database, "UPDATE things SET name = 'z'")


@pytest.mark.parametrize(
    "fault",
    [
        ended_by_the_server, idle_for_too_long, no_connection_left, nobody_there, no_answer, closed_after_that,
        only_a_standby, locked, too_slow, deadlocked, overtaken,
    ],
)  # fmt: skip
def test_what_may_succeed_later_counts_as_away(database: BaseDatabaseWrapper, fault: Fault) -> None:
    with pytest.raises(DatabaseError) as raised:
        fault(database)
    assert is_away(raised.value)
    assert isinstance(raised.value, DATABASE_AWAY)


@pytest.mark.parametrize("statement", ["INSERT INTO things VALUES (1, 'x')", "INSERT INTO things VALUES (4, 'too long')"])
def test_what_the_database_refuses_for_good_does_not(database: BaseDatabaseWrapper, statement: str) -> None:
    with pytest.raises(DatabaseError) as raised:
        run(database, statement)
    assert not is_away(raised.value)
    assert not isinstance(raised.value, DATABASE_AWAY)
