"""Starting and ending what is measured: Ringdesk as its users start it, and the references. Each is a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import secrets
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import psycopg
import requests

from calls.vendor import envelope

ROOT = Path(__file__).resolve().parent.parent
HOME = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringdesk-bench"  # what `install` brings here
READY_WITHIN = 30.0  # seconds
ENDED_WITHIN = 15.0  # seconds; the server lets requests under way end for 10
STORED_WITHIN = 60.0  # seconds; what waits on disk for the database
ASKED_EVERY = 0.01  # seconds

# Made up for each run; nothing else ever knows them.
AES_KEY = secrets.token_hex(16)
KEY = envelope.key_bytes(AES_KEY)
AGENT = "bench"
NOWHERE = "http://127.0.0.1:9"  # where nobody listens: whatever the server might ask the vendor fails
PASSWORD = secrets.token_urlsafe(16)

# Run by Ringdesk's own shell, since the benchmark itself never loads its settings.
SETTINGS = """
import json
from django.conf import settings
database = settings.DATABASES["default"]
print(json.dumps({
    "database": database["ENGINE"].rpartition(".")[2],
    "at connection": database["OPTIONS"].get("init_command"),
    "transactions": database["OPTIONS"].get("transaction_mode"),
    "channel layer": settings.CHANNEL_LAYERS["default"]["BACKEND"].rpartition(".")[2],
    "workers": settings.WORKERS,
    "language": settings.LANGUAGE_CODE,
}))
"""


class CantMeasure(Exception):
    """Why there is nothing to measure, for whoever runs the benchmark."""


class NotHere(Exception):
    """Why a reference can't be had, and what to do."""


@dataclass
class Running:
    """A server that is ready."""

    process: subprocess.Popen[bytes]
    port: int  # for HTTP
    seconds_to_ready: float
    log: Path

    def memory(self) -> float:
        """Resident, in MiB."""
        return float(psutil.Process(self.process.pid).memory_info().rss) / 2**20

    def descriptors(self) -> int:
        return int(psutil.Process(self.process.pid).num_fds())

    def threads(self) -> int:
        return int(psutil.Process(self.process.pid).num_threads())

    def cpu(self) -> float:
        """Seconds of a core that it has taken so far, and those that it started; the kernel counts in hundredths."""
        first = psutil.Process(self.process.pid)
        return sum(_cpu_of(process) for process in (first, *first.children(recursive=True)))


def _cpu_of(process: psutil.Process) -> float:
    try:
        times = process.cpu_times()
    except psutil.NoSuchProcess:
        return 0.0
    return float(times.user + times.system)


class Ringdesk:
    """An installation in a folder of its own."""

    def __init__(self, folder: Path, database: str = "", redis: str = "") -> None:
        """Takes: DATABASE_URL and REDIS_URL; empty for the defaults."""
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._database = database
        # Nothing of the caller's own configuration: figures are for the defaults, and no real installation is touched.
        self._environment = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(folder),
            "BIND": f"127.0.0.1:{self.port}",
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": database,
            "REDIS_URL": redis,
        }

    @contextmanager
    def running(self) -> Iterator[Running]:
        """Started by `manage.py serve`; ready when /readyz says so."""
        arguments = [sys.executable, "manage.py", "serve"]
        with started(arguments, self._environment, self.port, self.folder / "server.log", self._is_ready) as server:
            yield server

    def set_up(self, vendor: str = NOWHERE, ring_seconds: int = 60) -> str:
        """Add a vendor app, whose API is at this address, and an agent, beside the running server.

        Returns: the path of the callback address.
        """
        with ThreadPoolExecutor() as at_once:
            agent = at_once.submit(self._manage, "agent", AGENT, "--all-accounts", said=f"{PASSWORD}\n")
            address = self._add_app(vendor, ring_seconds)
            agent.result()
        path = urlsplit(address.strip()).path
        until = time.monotonic() + READY_WITHIN
        while requests.post(f"{self.url}{path}", envelope.seal([], KEY), timeout=5).status_code != 200:
            if time.monotonic() > until:
                raise CantMeasure("the running server never learned of its new vendor app")
            time.sleep(ASKED_EVERY)
        return path

    def _add_app(self, vendor: str, ring_seconds: int) -> str:
        return self._manage(
            "vendor_app", "bench", "--app-id", "bench", "--app-secret", "-", "--aes-key", "-", "--base-url", vendor,
            "--ring-seconds", str(ring_seconds),
            said=f"{secrets.token_hex(8)}\n{AES_KEY}\n",
        )  # fmt: skip

    def sign_in(self) -> str:
        """The agent's cookie, as a header's value."""
        with requests.Session() as session:
            page = session.get(f"{self.url}/login/", timeout=10)
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
            form = {"username": AGENT, "password": PASSWORD, "csrfmiddlewaretoken": token[1] if token else ""}
            session.post(f"{self.url}/login/", data=form, timeout=10, allow_redirects=False)
            if "sessionid" not in session.cookies:
                raise CantMeasure("the sign-in was refused")
            return f"sessionid={session.cookies['sessionid']}"

    def settings(self) -> dict[str, object]:
        """Those that figures depend on, as Ringdesk itself reads them."""
        settings: dict[str, object] = json.loads(self._manage("shell", "--no-imports", "--command", SETTINGS))
        return settings

    def calls(self) -> dict[int, str]:
        """Every call in the database: the vendor's id by Ringdesk's."""
        return dict(self.rows("SELECT id, voipid FROM calls_call"))

    def wait_until_stored(self) -> None:
        """Until nothing waits on disk for the database. Raises: CantMeasure where that takes too long."""
        until = time.monotonic() + STORED_WITHIN
        while self.metric("ringdesk_spooled_callbacks"):
            if time.monotonic() > until:
                raise CantMeasure(f"callbacks still wait on disk after {STORED_WITHIN:.0f} s")
            time.sleep(0.1)

    def rows(self, query: str) -> list[Any]:
        """What the database answers, asked from outside."""
        if not self._database:
            return rows_in(self.folder / "ringdesk.sqlite3", query)
        with psycopg.connect(self._database) as database:
            return database.execute(query).fetchall()

    def metric(self, name: str) -> float:
        """As /metrics tells it; 0 where it doesn't."""
        said = requests.get(f"{self.url}/metrics", timeout=10).text
        found = re.search(rf"^{name} (\S+)$", said, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def _manage(self, *arguments: str, said: str = "") -> str:
        """What a management command, given this on its standard input, printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self._environment, input=said, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise CantMeasure(f"manage.py {arguments[0]} failed:\n{done.stderr}")
        return done.stdout

    def _is_ready(self) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()


@contextmanager
def reference(name: str, folder: Path, *arguments: str) -> Iterator[Running]:
    """One of the bare programs in references.py, ready when it takes connections."""
    port = free_port()
    command = [sys.executable, "-m", "bench.references", name, str(port), *arguments]
    environment = {"PATH": os.environ["PATH"]}
    with started(command, environment, port, folder / f"{name}.log", lambda: takes_connections(port)) as server:
        yield server


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def started(
    arguments: Sequence[str], environment: dict[str, str], port: int, log: Path, is_ready: Callable[[], bool]
) -> Iterator[Running]:
    """A process, started, awaited until it is ready, and ended in any case. What it prints is appended to the log."""
    began = time.perf_counter()
    with log.open("ab") as output:
        # A session of its own, so that Ctrl-C reaches the benchmark alone, which then ends it in order.
        process = subprocess.Popen(
            arguments, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while not is_ready():
            if process.poll() is not None or time.perf_counter() > began + READY_WITHIN:
                raise CantMeasure(f"{' '.join(arguments[1:3])} did not get ready; it said:\n{log.read_text()}")
            time.sleep(ASKED_EVERY)
        yield Running(process, port, time.perf_counter() - began, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def rows_in(file: Path, query: str) -> list[Any]:
    database = sqlite3.connect(file, timeout=10)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()
