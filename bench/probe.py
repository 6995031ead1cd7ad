"""`python -m bench.probe pages|export TURNS`: measures one history, in a process with that installation's settings.

Writes a line of JSON for each case. Server time is what `django.test.Client` takes: the whole of Django, its middleware,
sign-in and templates, and a database connection opened for the request, as a server does; no socket and no browser.
"""

from __future__ import annotations

import csv
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import django
import psycopg

os.environ["DJANGO_SETTINGS_MODULE"] = "dashboard.settings"
django.setup()

from django.conf import settings  # noqa: E402
from django.db import connection  # noqa: E402
from django.test import Client  # noqa: E402

from calls.models import Person  # noqa: E402

from .cases import ROWS, Case, Who, cases, find_facts  # noqa: E402

ENOUGH = 10.0  # seconds for the turns of one case; a slow one gets fewer
AT_LEAST = 2  # turns
ROW = re.compile(r'href="[^"]*/history/(\d+)/')
NEW_CALLS = re.compile(r'hx-get="([^"]*new[^"]*)"')
MANY_ROWS = 1000

Figures = dict[str, Any]


def main(what: str, turns: int) -> None:
    people = _people()
    clients: dict[Who, Client] = {who: _client(person) for who, person in people.items()}
    for figures in _pages(clients, people, turns) if what == "pages" else _export(clients["supervisor"]):
        print(json.dumps(figures), flush=True)


def _people() -> dict[Who, Person]:
    agents = Person.objects.filter(role=Person.Role.AGENT, all_accounts=False, is_active=True, teams__isnull=False)
    supervisors = Person.objects.filter(role=Person.Role.SUPERVISOR, is_active=True)
    return {"supervisor": supervisors.earliest("pk"), "agent": agents.earliest("pk")}


def _client(person: Person) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    return client


def _pages(clients: dict[Who, Client], people: dict[Who, Person], turns: int) -> Iterator[Figures]:
    facts = find_facts(people["agent"].teams.earliest("pk").pk)
    for case in cases(facts):
        yield _measured(case, clients[case.who], turns)
    yield _new_calls(clients["supervisor"], facts.newest, turns)


def _new_calls(client: Client, newest: datetime, turns: int) -> Figures:
    """What an open history page asks for again and again; the page says where."""
    _, status, page = _timed(client, "/history/")
    found = NEW_CALLS.search(page)
    if status != 200 or not found:
        return {"what": "new calls", "problem": "history's page doesn't say where to ask for new calls"}
    bare = "SELECT COUNT(*) FROM calls_call WHERE received_at > %s", (newest,)
    return _measured(Case("new calls", unescape(found[1]), bare, lists_calls=False), client, turns)


def _measured(case: Case, client: Client, turns: int) -> Figures:
    """Milliseconds of each turn, of Ringdesk and of the bare SQL, one after the other."""
    figures: Figures = {"what": case.what, "at most": case.at_most, "address": case.address, "ringdesk": [], "bare": []}
    _, status, page = _timed(client, case.address)  # warms up
    if status not in {200, 204}:  # the latter: nothing to show
        return figures | {"problem": f"{case.address} answers {status}"}
    shown = list(dict.fromkeys(map(int, ROW.findall(page))))
    query, values = case.bare or (f"{ROWS} WHERE c.id IN ({', '.join(map(str, shown)) or 'NULL'})", ())
    rows = _bare(query, *values)
    if case.bare and case.lists_calls and [row[0] for row in rows] != shown:
        figures["problem"] = f"{case.address} doesn't show the rows that the bare SQL finds"
    until = time.monotonic() + ENOUGH
    while len(figures["ringdesk"]) < turns and (time.monotonic() < until or len(figures["ringdesk"]) < AT_LEAST):
        figures["ringdesk"].append(_timed(client, case.address)[0])
        began = time.perf_counter()
        _bare(query, *values, with_attempts=query.startswith(ROWS))
        figures["bare"].append((time.perf_counter() - began) * 1000)
    return figures


def _timed(client: Client, address: str) -> tuple[float, int, str]:
    """Milliseconds, status and page."""
    connection.close()
    began = time.perf_counter()
    response: Any = client.get(address)
    text = b"".join(response).decode()
    return (time.perf_counter() - began) * 1000, response.status_code, text


def _export(client: Client) -> Iterator[Figures]:
    """All calls as CSV, once each: as Ringdesk streams them, and as a cursor and Python's csv module do."""
    started_with = _peak()
    began = time.perf_counter()
    response: Any = client.get("/history/export.csv")
    if response.status_code != 200 or not response.streaming:
        yield {"what": "export", "problem": f"/history/export.csv answers {response.status_code}, and streams no CSV"}
        return
    lines = sum(piece.count(b"\r\n") for piece in response)
    seconds = time.perf_counter() - began
    peak = _peak()
    rows, bare_seconds = _bare_export()
    yield {
        "what": "export", "rows": lines - 1, "bare rows": rows, "rows/s": (lines - 1) / seconds,
        "bare rows/s": rows / bare_seconds, "peak MiB": peak, "before MiB": started_with,
    }  # fmt: skip


def _bare_export() -> tuple[int, float]:
    began, rows = time.perf_counter(), 0
    with Path(os.devnull).open("w") as file, closing(_connect()) as database:
        writer = csv.writer(file)
        cursor = database.cursor() if settings.ON_SQLITE else database.cursor("export")  # the latter: kept at the server
        cursor.execute(f"{ROWS} ORDER BY c.received_at DESC, c.id DESC")
        while some := cursor.fetchmany(MANY_ROWS):
            writer.writerows(some)
            rows += len(some)
    return rows, time.perf_counter() - began


def _bare(query: str, *values: object, with_attempts: bool = False) -> list[Any]:
    """By a connection and cursor of the database's own module. With attempts: also those of the calls that it finds."""
    with closing(_connect()) as database:
        cursor = database.cursor()
        rows: list[Any] = _execute(cursor, query, values)
        if with_attempts and rows:
            ids = ", ".join(str(row[0]) for row in rows)
            _execute(cursor, f"SELECT * FROM calls_attempt WHERE call_id IN ({ids})", ())
    return rows


def _execute(cursor: Any, query: str, values: Sequence[object]) -> list[Any]:
    if settings.ON_SQLITE:
        cursor.execute(query.replace("%s", "?"), [_as_stored(value) for value in values])
    else:
        cursor.execute(query, values or None)
    return list(cursor.fetchall())


def _connect() -> Any:
    if settings.ON_SQLITE:
        return sqlite3.connect(settings.DATABASES["default"]["NAME"])
    return psycopg.connect(os.environ["DATABASE_URL"])


def _as_stored(value: object) -> object:
    return str(value.astimezone(UTC).replace(tzinfo=None)) if isinstance(value, datetime) else value


def _peak() -> float:
    """The most that this process ever had resident, in MiB."""
    status = Path("/proc/self/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
