"""Exports of the real server: in flat memory, to clients that go away, and through a restart."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from django.conf import settings

from tests.factory import PASSWORD
from tests.server import Server, running_server
from tests.waiting import eventually

CALLS = 120_000
NOTICED_WITHIN = 20.0  # seconds: a process is given up for lost after 10
TAKEN = 64 * 1024  # bytes
SPARE = 40 * 1024 * 1024  # bytes: what a download of any length may take in memory


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """With more calls than go out at once."""
    with running_server(tmp_path_factory.mktemp("exports")) as running:
        running.manage("agent", "boss", "--supervisor", said=PASSWORD)
        running.manage("vendor_app", "app", "--app-id", "x", "--app-secret", "y", "--aes-key", "a" * 43)
        _write_history(running)
        yield running


def _write_history(server: Server) -> None:
    [(app,)] = server.sql("SELECT id FROM calls_vendorapp")
    server.sql(
        "INSERT INTO calls_account (id, app_id, wxid, name, created_at) VALUES (1, ?, '1', '小林', '2026-01-01')",
        app,
    )
    server.sql(
        "INSERT INTO calls_contact (id, app_id, wxid, nickname, avatar) VALUES (1, ?, '1', ?, '')", app, "王秀英" * 60
    )
    start = datetime(2026, 1, 1, tzinfo=UTC)
    server.database.insert(
        "INSERT INTO calls_call (account_id, contact_id, voipid, kind, received_at, rings_until, outcome, screens,"
        " screens_with_sound, version) VALUES (1, 1, ?, 2, ?, ?, 'missed', 1, 0, 1)",
        ((str(number), *[f"{start + timedelta(minutes=number):%Y-%m-%d %H:%M:%S}"] * 2) for number in range(CALLS)),
    )


@pytest.fixture
def boss(server: Server) -> requests.Session:
    return server.sign_in("boss", PASSWORD)


def ask(server: Server, session: requests.Session, format: str) -> int:
    """Ask for a long export of everything; its id."""
    page = session.get(f"{server.url}/history/", timeout=10).text
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
    assert token
    form = {"format": format, "query": "", "csrfmiddlewaretoken": token[1]}
    answer = session.post(f"{server.url}/exports/", data=form, timeout=10, allow_redirects=False)
    assert answer.headers["Location"] == "/exports/"
    return latest(server)


def latest(server: Server) -> int:
    [(pk,)] = server.sql("SELECT max(id) FROM calls_export")
    assert isinstance(pk, int)
    return pk


def state(server: Server, pk: int) -> tuple[object, ...]:
    [found] = server.sql("SELECT state, failure FROM calls_export WHERE id = ?", pk)
    return found


def files(server: Server) -> list[str]:
    return [path.name for path in (server.folder / "exports").iterdir()]


def memory(server: Server, what: str) -> int:
    """Of the server's process, in bytes: `VmRSS`, or the most so far, `VmHWM`."""
    found = re.search(rf"{what}:\s+(\d+) kB", Path(f"/proc/{server.process.pid}/status").read_text())
    assert found
    return int(found[1]) * 1024


def test_a_long_download_is_whole_and_takes_little_memory(server: Server, boss: requests.Session) -> None:
    Path(f"/proc/{server.process.pid}/clear_refs").write_text("5")  # forget the most so far
    before = memory(server, "VmRSS")
    with boss.get(f"{server.url}/history/export.csv", stream=True, timeout=60) as answer:
        assert sum(part.count(b"\n") for part in answer.iter_content(TAKEN)) == CALLS + 1
    assert memory(server, "VmHWM") - before < SPARE
    assert state(server, latest(server)) == ("done", "")


def test_a_client_that_goes_away_ends_the_download(server: Server, boss: requests.Session) -> None:
    with boss.get(f"{server.url}/history/export.csv", stream=True, timeout=60) as answer:
        parts = answer.iter_content(TAKEN)
        assert b"\r\n" in next(parts) + next(parts)  # the header, and some rows
        pk = latest(server)
        assert state(server, pk) == ("running", "")
    eventually(lambda: state(server, pk) == ("cancelled", ""))
    [(rows,)] = server.sql("SELECT rows FROM calls_export WHERE id = ?", pk)
    assert isinstance(rows, int)
    assert 0 < rows < CALLS
    assert files(server) == []


def test_a_download_that_waits_for_its_client_holds_nothing_of_the_database(server: Server, boss: requests.Session) -> None:
    with boss.get(f"{server.url}/history/export.csv", stream=True, timeout=60) as answer:
        parts = answer.iter_content(TAKEN)
        next(parts)
        server.sql("UPDATE calls_call SET version = 2 WHERE id = 1")
        eventually(lambda: not _held(server))
        assert state(server, latest(server)) == ("running", "")


def _held(server: Server) -> bool:
    """Whether something of the database's stays as somebody saw it last."""
    if settings.ON_SQLITE:
        [(blocked, _, _)] = server.sql("PRAGMA wal_checkpoint(TRUNCATE)")
        return bool(blocked)
    return bool(
        server.sql(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
            " AND backend_type = 'client backend' AND xact_start IS NOT NULL"
        )
    )


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_an_export_that_is_cancelled_leaves_nothing(server: Server, boss: requests.Session, format: str) -> None:
    pk = ask(server, boss, format)
    eventually(lambda: files(server) != [])
    token = boss.cookies["csrftoken"]
    boss.post(f"{server.url}/exports/{pk}/cancel/", headers={"X-CSRFToken": token, "Referer": server.url}, timeout=10)
    assert state(server, pk) == ("cancelled", "")
    eventually(lambda: files(server) == [])


@pytest.mark.parametrize("format", ["csv", "xlsx"])
def test_a_server_that_is_killed_leaves_no_file_that_looks_whole(
    server: Server, boss: requests.Session, format: str
) -> None:
    pk = ask(server, boss, format)
    eventually(lambda: f"{pk}.part" in files(server))
    server.kill()
    # One that was cancelled just before may be there as well.
    assert [name for name in files(server) if name.startswith(f"{pk}.")] == [f"{pk}.part"]
    server.start()
    eventually(lambda: state(server, pk) == ("failed", "interrupted"), NOTICED_WITHIN)
    eventually(lambda: files(server) == [])
    assert boss.get(f"{server.url}/exports/{pk}/file", timeout=10).status_code == 404
