"""The real server as a process of its own, as users start it, on an installation that is thrown away."""

from __future__ import annotations

import json
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import requests

from calls.vendor import envelope
from calls.vendor.envelope import Form

from .databases import Database, Row
from .factory import AES_KEY
from .installation import ROOT, installation

READY_WITHIN = 60  # seconds


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Server:
    folder: Path
    port: int
    environment: dict[str, str]
    process: subprocess.Popen[str] = field(init=False, repr=False)
    _manager: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def manage(self, *arguments: str, said: str = "") -> str:
        """Run a management command beside the server, with this on its standard input; what it printed."""
        if self._manager is None:
            self._manager = subprocess.Popen(
                [sys.executable, "-m", "tests.manager"],
                cwd=ROOT, env=self.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert self._manager.stdin
        assert self._manager.stdout
        self._manager.stdin.write(json.dumps({"arguments": arguments, "said": said}) + "\n")
        self._manager.stdin.flush()
        done = json.loads(self._manager.stdout.readline())
        assert not done["failed"], done["complained"]
        return str(done["printed"])

    @property
    def database(self) -> Database:
        return installation(self.folder).database

    def sql(self, statement: str, *values: object) -> list[Row]:
        """Ask or change the server's database, from outside. Question marks stand for the values."""
        return self.database.sql(statement, *values)

    def metric(self, name: str) -> float:
        """What /metrics says."""
        lines = requests.get(f"{self.url}/metrics", timeout=10).text.splitlines()
        return float(next(line.split()[1] for line in lines if line.startswith(f"{name} ")))

    def push(self, secret: str, notices: object, form: Form = "base64", key: str = AES_KEY) -> requests.Response:
        """What the vendor does: one callback."""
        body = envelope.seal(notices, envelope.key_bytes(key), form)
        return requests.post(f"{self.url}/callbacks/{secret}/", data=body, timeout=10)

    def sign_in(self, username: str, password: str) -> requests.Session:
        """A browser's cookies after a sign-in."""
        session = requests.Session()
        page = session.get(f"{self.url}/login/", timeout=10)
        token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page.text)
        assert token
        form = {"username": username, "password": password, "csrfmiddlewaretoken": token[1]}
        answer = session.post(f"{self.url}/login/", data=form, timeout=10, allow_redirects=False)
        assert answer.status_code == 302, "the sign-in was refused"
        return session

    def session_like(self, session: requests.Session) -> requests.Session:
        """Another one with the same cookies: a session isn't made for several threads."""
        other = requests.Session()
        other.cookies.update(session.cookies)
        return other

    @property
    def log(self) -> str:
        return (self.folder / "server.log").read_text()

    def start(self) -> None:
        """Until it is ready. Its output goes to `server.log` in the folder."""
        with (self.folder / "server.log").open("a") as log:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "serve"], cwd=ROOT, env=self.environment, stdout=log, stderr=log, text=True
            )
        _wait_until_ready(self)

    def kill(self) -> None:
        """As a power cut would, as far as the process is concerned."""
        self.process.kill()
        self.process.wait()

    def end_commands(self) -> None:
        if self._manager is not None:
            self._manager.communicate()  # ends with its input
            self._manager = None

    def stop(self) -> None:
        self.end_commands()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(timeout=20)
            except subprocess.TimeoutExpired:
                self.kill()


@contextmanager
def running_server(folder: Path, port: int = 0, **environment: str) -> Iterator[Server]:
    """A server that is ready."""
    port = port or free_port()
    variables = installation(folder).environment | {
        "BIND": f"127.0.0.1:{port}",
        # Nothing listens there: whatever the server might ask of another machine fails.
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "NO_PROXY": "127.0.0.1",
        "LOOK_UP_CONTACTS": "false",  # what tests find at the vendor is what they asked for
        "PYTHONWARNINGS": "error::RuntimeWarning",
    }
    server = Server(folder, port, variables | environment)
    (folder / "server.log").unlink(missing_ok=True)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _wait_until_ready(server: Server) -> None:
    give_up_at = time.monotonic() + READY_WITHIN
    while time.monotonic() < give_up_at:
        assert server.process.poll() is None, (server.folder / "server.log").read_text()
        try:
            if requests.get(f"{server.url}/readyz", timeout=5).ok:
                return
        except (requests.ConnectionError, requests.Timeout):  # it takes connections before it can answer
            time.sleep(0.05)
    raise AssertionError(f"the server was not ready within {READY_WITHIN} s")
