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
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import requests

from calls.vendor import envelope

ROOT = Path(__file__).resolve().parent.parent
READY_WITHIN = 30.0  # seconds
ENDED_WITHIN = 15.0  # seconds; the server lets requests under way end for 10
ASKED_EVERY = 0.01  # seconds

# Made up for each run; nothing else ever knows them.
AES_KEY = secrets.token_hex(16)
KEY = envelope.key_bytes(AES_KEY)
AGENT = "bench"
PASSWORD = secrets.token_urlsafe(16)

# Run by Ringdesk's own shell, since the benchmark itself never loads its settings.
SETTINGS = """
import json
from django.conf import settings
database = settings.DATABASES["default"]
print(json.dumps({
    "database": database["ENGINE"].rpartition(".")[2],
    "at connection": database["OPTIONS"]["init_command"],
    "transactions": database["OPTIONS"]["transaction_mode"],
    "channel layer": settings.CHANNEL_LAYERS["default"]["BACKEND"].rpartition(".")[2],
    "workers": settings.WORKERS,
    "language": settings.LANGUAGE_CODE,
}))
"""


class CantMeasure(Exception):
    """Why there is nothing to measure, for whoever runs the benchmark."""


@dataclass
class Running:
    """A server that is ready."""

    process: subprocess.Popen[bytes]
    port: int  # for HTTP
    seconds_to_ready: float
    log: Path

    def memory(self) -> float:
        """Resident, in MiB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(status.partition("VmRSS:")[2].split()[0]) / 1024


class Ringdesk:
    """An installation in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        # Nothing of the caller's own configuration: figures are for the defaults, and no real installation is touched.
        self._environment = {
            "PATH": os.environ["PATH"],
            "DATA_DIR": str(folder),
            "BIND": f"127.0.0.1:{self.port}",
            "PYTHONUNBUFFERED": "1",
        }

    @contextmanager
    def running(self) -> Iterator[Running]:
        """Started by `manage.py serve`; ready when /readyz says so."""
        arguments = [sys.executable, "manage.py", "serve"]
        with _process(arguments, self._environment, self.port, self.folder / "server.log", self._is_ready) as server:
            yield server

    def set_up(self) -> str:
        """Add a vendor app and an agent, beside the running server; the path of the callback address."""
        address = self._manage(
            "vendor_app", "bench", "--app-id", "bench", "--app-secret", "-", "--aes-key", "-",
            said=f"{secrets.token_hex(8)}\n{AES_KEY}\n",
        )  # fmt: skip
        self._manage("agent", AGENT, "--all-accounts", said=f"{PASSWORD}\n")
        path = urlsplit(address.strip()).path
        until = time.monotonic() + READY_WITHIN
        while requests.post(f"{self.url}{path}", envelope.seal([], KEY), timeout=5).status_code != 200:
            if time.monotonic() > until:
                raise CantMeasure("the running server never learned of its new vendor app")
            time.sleep(ASKED_EVERY)
        return path

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
        return dict(_rows(self.folder / "ringdesk.sqlite3", "SELECT id, voipid FROM calls_call"))

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
    with _process(command, environment, port, folder / f"{name}.log", lambda: _takes_connections(port)) as server:
        yield server


def inserted(file: Path) -> int:
    """How many callbacks the reference has stored."""
    return int(_rows(file, "SELECT COUNT(*) FROM callback")[0][0])


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def _process(
    arguments: Sequence[str], environment: dict[str, str], port: int, log: Path, is_ready: Callable[[], bool]
) -> Iterator[Running]:
    """Started, awaited until it is ready, and ended in any case. What it prints is appended to the log."""
    started = time.perf_counter()
    with log.open("ab") as output:
        # A session of its own, so that Ctrl-C reaches the benchmark alone, which then ends it in order.
        process = subprocess.Popen(
            arguments, cwd=ROOT, env=environment, stdout=output, stderr=output, start_new_session=True
        )
    try:
        while not is_ready():
            if process.poll() is not None or time.perf_counter() > started + READY_WITHIN:
                raise CantMeasure(f"{' '.join(arguments[1:3])} did not get ready; it said:\n{log.read_text()}")
            time.sleep(ASKED_EVERY)
        yield Running(process, port, time.perf_counter() - started, log)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(ENDED_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _takes_connections(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _rows(file: Path, query: str) -> list[Any]:
    database = sqlite3.connect(file, timeout=10)
    try:
        return database.execute(query).fetchall()
    finally:
        database.close()
