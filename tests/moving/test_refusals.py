"""What is not moved: each refusal says in one line what to do, and leaves both sides as they were."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

import psycopg
import pytest

from dashboard.server import sole_server
from tests.installation import ROOT
from tests.server import free_port
from tests.waiting import eventually

from .conftest import Installation

pytestmark = pytest.mark.engineless  # it has its own

HELD = 7  # the number of an advisory lock

Change = Callable[[Installation], object]


def change(statement: str) -> Change:
    """Somebody writes to the SQLite file."""

    def run(installation: Installation) -> None:
        with closing(sqlite3.connect(installation.file)) as database, database:
            database.execute(statement)

    return run


def damage(installation: Installation) -> None:
    """The disk gives back something else than was written."""
    with installation.file.open("r+b") as file:
        file.seek(installation.file.stat().st_size // 2 // 4096 * 4096)
        file.write(b"\xff" * 4096 * 3)


def on_each_note(installation: Installation, does: str) -> None:
    """A trigger in the target."""
    installation.migrate_target()
    installation.sql(
        f"CREATE FUNCTION on_note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {does}; RETURN NEW; END $$;"
        " CREATE TRIGGER on_note BEFORE INSERT ON calls_note FOR EACH ROW EXECUTE FUNCTION on_note()"
    )


@contextmanager
def held_up(installation: Installation) -> Iterator[subprocess.Popen[str]]:
    """A move that stands still at the notes, which come late, for as long as this lasts."""
    on_each_note(installation, f"PERFORM pg_advisory_xact_lock({HELD})")
    with psycopg.connect(installation.database, autocommit=True) as holder:
        holder.execute(f"SELECT pg_advisory_lock({HELD})")
        process = subprocess.Popen(
            [sys.executable, "manage.py", "move_data"],
            cwd=ROOT, env=installation.environment | {"DATABASE_URL": installation.database},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        waits = "SELECT EXISTS (SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted)"
        eventually(lambda: holder.execute(waits).fetchone() == (True,), within=30)
        yield process


@pytest.mark.parametrize(
    ("before", "said"),
    [
        (lambda installation: installation.file.unlink(), "there is no file "),
        (lambda installation: installation.file.write_bytes(b"PK" * 5000), "can't be read: file is not a database."),
        (change("DROP TABLE django_migrations"), "is no database of Ringdesk's. Name one with --from FILE."),
        (
            change("DELETE FROM django_migrations WHERE app = 'calls' AND name LIKE '0008%'"),
            "was written by an older version of Ringdesk. Start the server on it once with this version",
        ),
        (
            change("INSERT INTO django_migrations (app, name, applied) VALUES ('calls', '9999_later', '2030-01-01')"),
            "was written by a newer version of Ringdesk. Move it with that version.",
        ),
        (change("DELETE FROM calls_team"), " refers to a row of calls_team that isn't there. Bring back a backup"),
        (damage, "ring back a backup that is whole"),
        (
            change("UPDATE calls_contact SET nickname = '" + "x" * 201 + "' WHERE id = 3"),
            "in calls_contact, the row with id 3: its nickname is refused: value too long for type character varying(200)",
        ),
        (
            change("UPDATE calls_call SET received_at = 'yesterday' WHERE id = 17"),
            "in calls_call, the row with id 17: its received_at is of another kind than the column",
        ),
        (
            change("UPDATE calls_callback SET milliseconds = 3000000000"),
            'its milliseconds is refused: value "3000000000" is out of range for type integer',
        ),
        (
            change(
                "UPDATE django_session SET session_key = '" + "k" * 41 + "'"
                " WHERE session_key NOT IN (SELECT session_id FROM calls_pushsubscription)"
            ),
            f"the row with session_key {'k' * 41}: its session_key is refused",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_source_that_cannot_be_moved(installation: Installation, before: Change, said: str) -> None:
    before(installation)
    assert said in installation.refusal()
    if installation.sql("SELECT to_regclass('calls_call')") != [(None,)]:
        assert installation.nothing_was_moved()


def test_a_target_that_is_no_postgresql(installation: Installation) -> None:
    assert "DATABASE_URL names no PostgreSQL. Set it, such as postgres://" in installation.refusal(DATABASE_URL="")


def test_a_target_that_cannot_be_reached(installation: Installation) -> None:
    said = installation.refusal(DATABASE_URL=f"postgres://somebody:s3cret@127.0.0.1:{free_port()}/x")
    assert "Connection refused" in said
    assert "s3cret" not in said


@pytest.mark.parametrize("table", ["calls_team", "something_else"])
def test_a_target_that_has_rows(installation: Installation, table: str) -> None:
    installation.migrate_target()
    installation.sql("CREATE TABLE something_else (name text)")
    installation.sql(f"INSERT INTO {table} (name) VALUES ('one')")  # noqa: S608
    assert f"the PostgreSQL database isn't empty: {table} has rows. Give DATABASE_URL a new one." in installation.refusal()
    assert installation.sql(f"SELECT count(*) FROM {table}") == [(1,)]  # noqa: S608


def test_a_target_that_does_not_hold_every_character(installation: Installation) -> None:
    server, _, _ = installation.database.rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute("CREATE DATABASE latin ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    said = installation.refusal(DATABASE_URL=f"{server}/latin")
    assert "has the encoding LATIN1. Make one with UTF8." in said


def test_a_target_that_changes_rows(installation: Installation) -> None:
    on_each_note(installation, "NEW.text := NEW.text || '!'")
    done = installation.move()
    assert done.returncode == 1
    assert re.search(r"^calls_note +(\d+) +\1 .*DIFFERENT: ", done.stdout, re.MULTILINE)  # how many were made up, varies
    assert done.stdout.count("DIFFERENT: ") == 1
    assert "Nothing was moved: what PostgreSQL gives back differs." in done.stderr
    assert installation.nothing_was_moved()


def test_a_data_folder_that_a_server_uses(installation: Installation) -> None:
    with sole_server(installation.folder):
        assert f"uses {installation.folder}. Stop it first." in installation.refusal()


def test_a_file_in_a_folder_that_a_server_uses(installation: Installation) -> None:
    other = installation.folder.parent / "other"
    with sole_server(installation.folder):
        said = installation.refusal("--from", str(installation.file), DATA_DIR=str(other))
    assert f"uses {installation.folder}. Stop it first." in said


def test_a_source_that_somebody_writes_to_meanwhile(installation: Installation) -> None:
    with held_up(installation) as process:
        change("UPDATE calls_team SET name = name || '!'")(installation)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"Nothing was moved: somebody wrote to {installation.file} meanwhile." in said
    assert installation.nothing_was_moved()


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_move_that_is_ended_halfway_leaves_both_sides_as_they_were_and_can_be_repeated(
    installation: Installation, end: signal.Signals
) -> None:
    before = installation.file.read_bytes()
    with held_up(installation) as process:
        process.send_signal(end)
        if end == signal.SIGKILL:
            process.wait(timeout=30)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert installation.nothing_was_moved()
    assert installation.file.read_bytes() == before
    installation.sql("DROP TRIGGER on_note ON calls_note")
    assert installation.move().returncode == 0


def test_a_target_that_goes_away_halfway(installation: Installation) -> None:
    with held_up(installation) as process:
        with psycopg.connect(installation.database) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert "Nothing was moved: the PostgreSQL database failed: terminating connection" in said
    assert installation.nothing_was_moved()
