"""healthchecks as a reference: a Django application that takes in pings, stores and shows them, from its public repository.

It runs as in its Docker image (docker/uwsgi.ini there), on SQLite, its default, in a virtual environment of its own.
"""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from .client import post
from .servers import NotHere, Running, free_port, started, takes_connections

REPOSITORY = "https://github.com/healthchecks/healthchecks"
VERSION = "v3.13"  # the last one for Python 3.11
ENVIRONMENT = ".venv"
MADE = "ringdesk-bench-ready"  # a file in the environment: it is complete

A_CHECK = """
from django.contrib.auth.models import User
from hc.accounts.models import Project
from hc.api.models import Check
owner = User.objects.create_user("bench", "bench@example.org")
print(Check.objects.create(project=Project.objects.create(owner=owner), name="bench").code)
"""


def install(checkout: Path) -> None:
    """Fetch it, unless it is there, and what it needs. Raises: NotHere where that can't be done."""
    if not checkout.exists():
        checkout.parent.mkdir(parents=True, exist_ok=True)
        _run(
            "git", "clone", "--quiet", "--depth", "1", "--branch", VERSION, REPOSITORY, str(checkout), folder=checkout.parent
        )
    environment = checkout / ENVIRONMENT
    if not (environment / MADE).exists():
        venv.create(environment, with_pip=True)
        _run(
            str(environment / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
            "--requirement", "requirements.txt", "uwsgi", folder=checkout,
        )  # fmt: skip
        (environment / MADE).touch()


@contextmanager
def running(checkout: Path, folder: Path) -> Iterator[tuple[Running, bytes]]:
    """The server, its database in this folder, and a whole request that is a ping. Raises: NotHere."""
    binaries = checkout / ENVIRONMENT / "bin"
    if not (binaries.parent / MADE).exists():
        raise NotHere("healthchecks is not here: run `python -m bench install`")
    port = free_port()
    environment = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "DEBUG": "False",
        "SECRET_KEY": "bench",
        "SITE_ROOT": f"http://127.0.0.1:{port}",
        "DB_NAME": str(folder / "hc.sqlite"),
        "USE_GZIP_MIDDLEWARE": "True",
    }
    manage = partial(_run, "python", "manage.py", folder=checkout, environment=environment)
    manage("migrate", "--verbosity", "0")
    code = manage("shell", "--no-imports", "--command", A_CHECK).strip()
    command = [
        str(binaries / "uwsgi"), "--strict", "--master", "--die-on-term", "--http-socket", f"127.0.0.1:{port}",
        "--harakiri", "10", "--buffer-size", "32768", "--post-buffering", "16192", "--processes", "4", "--threads", "1",
        "--enable-threads", "--chdir", str(checkout), "--module", "hc.wsgi:application", "--thunder-lock",
        "--disable-write-exception", "--max-fd", "10000",
    ]  # fmt: skip
    with started(command, environment, port, folder / "healthchecks.log", lambda: takes_connections(port)) as server:
        yield server, post(f"/ping/{code}", b"", "")


def _run(*command: str, folder: Path, environment: dict[str, str] | None = None) -> str:
    """What the command printed. Raises: NotHere where it fails."""
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotHere(f"`{' '.join(command[:4])}` failed: {done.stderr.strip()[-300:]}")
    return done.stdout
