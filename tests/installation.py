"""An installation that a test sets up: a data folder, and on the engines of this run a database and a channel layer."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from itertools import count
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings

from .databases import Database, Sqlite, beside

ROOT = Path(__file__).resolve().parent.parent

_numbers = count(1)


@dataclass(frozen=True)
class Installation:
    folder: Path
    database: Database
    environment: dict[str, str]  # as its processes see it

    def manage(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """A management command under way, in a process of its own."""
        return subprocess.Popen(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=self.environment | environment, text=True,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip


@cache  # whoever starts on a folder once more finds there what was left
def installation(folder: Path) -> Installation:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONUNBUFFERED": "1",
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATA_DIR": str(folder),
    }
    if settings.ON_SQLITE:
        return Installation(folder, Sqlite(folder / "ringdesk.sqlite3"), environment)
    number = next(_numbers)
    database = beside(os.environ["DATABASE_URL"], f"installation_{os.getpid()}_{number}")
    database.make()
    return Installation(folder, database, environment | {"DATABASE_URL": database.url, "REDIS_URL": _redis(number)})


def _redis(number: int) -> str:
    """A database of the server's that no other installation uses, of this process or another one of the same run."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return urlsplit(os.environ["REDIS_URL"])._replace(path=f"/{1000 * (worker + 1) + number}").geturl()
