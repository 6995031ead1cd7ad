"""An installation that was moved: all of it is there, and the server goes on with it."""

from __future__ import annotations

import json
import re
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from bench.postgres import Postgres
from calls.vendor.sandbox import call_notice
from tests.databases import Sqlite
from tests.server import Server, running_server
from tests.waiting import eventually

from .conftest import Installation, new_installation
from .filled import LARGEST_ID

pytestmark = pytest.mark.engineless  # it has its own

WXID = "1688850999999999"
VARYING = re.compile(r'csrfmiddlewaretoken" value="\w+"|X-CSRFToken": "\w+"')
PAGES = [
    "/history/",
    "/history/?outcome=rejected&kind=2",
    "/history/?q=李",
    "/history/?q=%F0%9F%99%82",
    "/history/?q=1844674407",
    "/history/export.csv",
    "/history/export.csv?q=ok",
    "/reports/",
    "/reports/?from=2026-03-01&to=2026-03-31",
    "/reports/breakdown/",
    "/reports/callers/",
    "/reports/shown/",
    "/callbacks/",
]


def pages_of(server: Server, session: str) -> dict[str, str]:
    answers = {
        page: requests.get(server.url + page, cookies={"sessionid": session, "django_language": "en"}, timeout=20)
        for page in PAGES
    }
    assert {answer.status_code for answer in answers.values()} == {200}
    return {page: VARYING.sub("", answer.text) for page, answer in answers.items()}


def everything_in(installation: Installation, **environment: str) -> dict[str, list[list[str]]]:
    found: dict[str, list[list[str]]] = json.loads(installation.do("everything.tell", **environment))
    return found


@dataclass
class Moved:
    installation: Installation
    said: str
    rows_before: dict[str, list[list[str]]]
    rows_after: dict[str, list[list[str]]]
    pages_before: dict[str, str]
    pages_after: dict[str, str]
    server: Server  # on PostgreSQL


@pytest.fixture(scope="module")
def moved(filled: tuple[Path, str], tmp_path_factory: pytest.TempPathFactory, postgresql: Postgres) -> Iterator[Moved]:
    installation = new_installation(filled, tmp_path_factory.mktemp("moved"), postgresql)
    with running_server(installation.folder) as server:
        pages = pages_of(server, installation.session)
        server.kill()  # so that SQLite's log is not worked into the file
    rows = everything_in(installation)
    done = installation.move()
    assert done.returncode == 0, done.stderr
    rows_after = everything_in(installation, DATABASE_URL=installation.database)
    with running_server(installation.folder, DATABASE_URL=installation.database) as server:
        yield Moved(installation, done.stdout, rows, rows_after, pages, pages_of(server, installation.session), server)


def test_every_row_of_every_model_is_the_same(moved: Moved) -> None:
    left_behind = {"calls_indexedupto", "calls_changedtext"}
    assert {table: rows for table, rows in moved.rows_after.items() if table not in left_behind} == {
        table: rows for table, rows in moved.rows_before.items() if table not in left_behind
    }


def test_there_is_something_to_move_in_every_table_of_every_model(installation: Installation) -> None:
    """Whoever adds a model adds it to tests/moving/filled.py."""
    assert [table for table, rows in everything_in(installation).items() if not rows] == []


def test_rows_and_checksums_of_every_table_are_told(moved: Moved) -> None:
    lines = re.findall(r"^(\w+) +([\d,]+) +([\d,]+)  [0-9a-f]{16} equal$", moved.said, re.MULTILINE)
    told = {table: int(rows.replace(",", "")) for table, rows, same in lines if rows == same}
    assert told == {table: len(rows) for table, rows in moved.rows_after.items() if rows}
    assert f"{sum(told.values()):,} rows were moved, and all are equal." in moved.said


def test_history_search_exports_and_reports_are_the_same_for_whoever_was_signed_in(moved: Moved) -> None:
    assert [page for page in PAGES if moved.pages_after[page] != moved.pages_before[page]] == []


def test_ids_go_on_after_all_that_were_ever_given_out(moved: Moved) -> None:
    highest = max(int(pk) for pk, *_ in moved.rows_before["calls_call"])
    moved.server.push("moving", [call_notice(WXID, "7881300000000001", 10**9)])
    [(pk,)] = moved.installation.sql("SELECT id FROM calls_call WHERE voipid = '1000000000'")
    assert int(str(pk)) > highest
    [(note,)] = moved.installation.sql(
        "INSERT INTO calls_note (call_id, person_id, written_at, text) SELECT id, (SELECT min(id) FROM calls_person),"
        " received_at, 'new' FROM calls_call WHERE voipid = '1000000000' RETURNING id"
    )
    assert note == LARGEST_ID + 1


def test_a_callback_that_waits_on_disk_is_stored_after_the_move(installation: Installation, tmp_path: Path) -> None:
    with running_server(installation.folder) as server, Sqlite(installation.file).locked():
        server.push("moving", [call_notice(WXID, "7881300000000001", 10**9)])
        server.kill()
    elsewhere = installation.refusal("--from", str(installation.file), DATA_DIR=str(tmp_path / "other"))
    assert f"1 callbacks wait in {installation.folder}. Set DATA_DIR to it" in elsewhere
    said = installation.move().stdout
    assert f"1 callbacks wait in {installation.folder}; the server stores them when it starts." in said
    with running_server(installation.folder, DATABASE_URL=installation.database):
        eventually(lambda: installation.sql("SELECT count(*) FROM calls_call WHERE voipid = '1000000000'") == [(1,)])


def test_the_source_is_left_as_it_was(installation: Installation) -> None:
    before = installation.file.read_bytes()
    assert installation.move().returncode == 0
    assert installation.file.read_bytes() == before


def test_characters_that_postgresql_does_not_hold_are_replaced_and_counted(installation: Installation) -> None:
    with sqlite3.connect(installation.file) as database:
        database.execute("UPDATE calls_team SET name = 'a' || char(0) || 'b' WHERE name = '售后'")
        database.execute("UPDATE calls_contact SET nickname = CAST(x'61eda0bd62' AS TEXT) WHERE id = 1")
    database.close()
    done = installation.move()
    assert done.returncode == 0
    assert "2 texts held characters that PostgreSQL doesn't take; U+FFFD stands in their place." in done.stdout
    assert installation.sql("SELECT count(*) FROM calls_team WHERE name = 'a\ufffdb'") == [(1,)]
    assert installation.sql("SELECT nickname FROM calls_contact WHERE id = 1") == [("a\ufffd\ufffd\ufffdb",)]


def test_it_is_moved_from_a_file_elsewhere(installation: Installation, tmp_path: Path) -> None:
    """As a copy that was made for it."""
    copy = tmp_path / "elsewhere" / "copy.sqlite3"
    copy.parent.mkdir()
    shutil.move(installation.file, copy)
    done = installation.move("--from", str(copy))
    assert done.returncode == 0, done.stderr
    assert f"Keep {copy} until you are satisfied." in done.stdout
    assert sorted(file.name for file in copy.parent.glob("*.lock")) == []
