"""`python -m bench.probe pages|export`: measures one history, in a process with that installation's settings.

export: says at once, as a line of JSON, what it came to. pages: says first which cases there are; then, for each line
`check NUMBER` or `turn NUMBER` that it reads, what came of it. So that several histories can be measured turn by turn.

Server time is what `django.test.Client` takes: the whole of Django, its middleware,
sign-in and templates, and a database connection opened for the request, as a server does; no socket and no browser.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import re
import sqlite3
import sys
import time
from collections.abc import Sequence
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

from .cases import ROWS, Bare, Case, Who, cases, find_facts  # noqa: E402

ROW = re.compile(r'href="[^"]*/history/(\d+)/')
NEW_CALLS = re.compile(r'hx-get="([^"]*new[^"]*)"')
MANY_ROWS = 1000

Answer = dict[str, Any]


class Pages:
    """Every case, of which one turn is measured whenever that is asked for."""

    def __init__(self, clients: dict[Who, Client], agent: Person) -> None:
        self._clients = clients
        facts = find_facts(agent.teams.earliest("pk").pk)
        self.cases = [*cases(facts), self._new_calls(facts.newest)]
        self._bare: dict[Case, Bare] = {}

    def check(self, case: Case) -> Answer:
        """Ask for it the first time, which warms up, and see whether it shows what the bare SQL finds."""
        if not case.address:
            return {"measurable": False, "problem": "history's page doesn't say where to ask"}
        _, status, page = _timed(self._clients[case.who], case.address)
        if status not in {200, 204}:  # the latter: nothing to show
            return {"measurable": False, "problem": f"{case.address} answers {status}"}
        shown = list(dict.fromkeys(map(int, ROW.findall(page))))
        self._bare[case] = case.bare or (f"{ROWS} WHERE c.id IN ({', '.join(map(str, shown)) or 'NULL'})", ())
        if case.bare and case.lists_calls and [row[0] for row in _bare(*self._bare[case])] != shown:
            problem = f"{case.address} doesn't show the rows that the bare SQL finds"
            return {"measurable": True, "rows": len(shown), "problem": problem}
        return {"measurable": True, "rows": len(shown) if case.lists_calls else 0}

    def turn(self, case: Case) -> Answer:
        """Milliseconds, of Ringdesk and of the bare SQL."""
        ringdesk, _, _ = _timed(self._clients[case.who], case.address)
        query, values = self._bare[case]
        began = time.perf_counter()
        _bare(query, values, with_attempts=query.startswith(ROWS))
        return {"ringdesk": ringdesk, "reference": (time.perf_counter() - began) * 1000}

    def _new_calls(self, newest: datetime) -> Case:
        """What an open history page asks for again and again; the page says where."""
        found = NEW_CALLS.search(_timed(self._clients["supervisor"], "/history/")[2])
        bare = "SELECT COUNT(*) FROM calls_call WHERE received_at > %s", (newest,)
        return Case("new calls", unescape(found[1]) if found else "", bare, lists_calls=False)


def main(what: str) -> None:
    supervisor, agent = _people()
    clients: dict[Who, Client] = {"supervisor": _client(supervisor), "agent": _client(agent)}
    if what == "export":
        _say(_export(clients["supervisor"]))
        return
    pages = Pages(clients, agent)
    _say({"cases": [{"what": case.what, "at most": case.at_most} for case in pages.cases]})
    for line in sys.stdin:
        asked, number = line.split()
        case = pages.cases[int(number)]
        _say(pages.check(case) if asked == "check" else pages.turn(case))


def _say(answer: Answer) -> None:
    print(json.dumps(answer), flush=True)


def _people() -> tuple[Person, Person]:
    """A supervisor, and an agent who sees the accounts of a team."""
    agents = Person.objects.filter(role=Person.Role.AGENT, all_accounts=False, is_active=True, teams__isnull=False)
    supervisors = Person.objects.filter(role=Person.Role.SUPERVISOR, is_active=True)
    return supervisors.earliest("pk"), agents.earliest("pk")


def _client(person: Person) -> Client:
    client = Client(SERVER_NAME="localhost")
    client.force_login(person)
    return client


def _timed(client: Client, address: str) -> tuple[float, int, str]:
    """Milliseconds, status and page."""
    connection.close()
    began = time.perf_counter()
    response: Any = client.get(address)
    text = b"".join(response).decode()
    return (time.perf_counter() - began) * 1000, response.status_code, text


def _export(client: Client) -> Answer:
    """All calls as CSV, once each: as Ringdesk streams them, and as a cursor and Python's csv module do."""
    began = time.perf_counter()
    response: Any = client.get("/history/export.csv")
    if response.status_code != 200 or not response.streaming:
        return {"problem": f"/history/export.csv answers {response.status_code}, and streams no CSV"}
    lines = asyncio.run(_lines(response))
    seconds, peak = time.perf_counter() - began, _peak()
    rows, bare_seconds = _bare_export()
    return {
        "rows": lines - 1, "ringdesk": (lines - 1) / seconds, "peak MiB": peak,
        "bare rows": rows, "reference": rows / bare_seconds,
    }  # fmt: skip


async def _lines(response: Any) -> int:
    """Counted as they come. Of an answer that is streamed a plain loop would first make a whole."""
    lines = 0
    async for piece in response:
        lines += piece.count(b"\r\n")
    return lines


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


def _bare(query: str, values: Sequence[object], with_attempts: bool = False) -> list[Any]:
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
    main(sys.argv[1])
