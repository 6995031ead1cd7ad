"""`python -m tests.engines COMMAND …`: runs a command, such as pytest, beside a PostgreSQL and a Redis of its own.

Tells the command where they are as any installation is told: by DATABASE_URL and REDIS_URL. Both end with the command.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from bench import postgres, redis

# Nothing has to survive the tests, so nothing waits for the disk. Connections: some tests use many threads, and several of
# them run at once.
POSTGRESQL = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off", "max_connections": "500"}
REDIS_DATABASES = 10_000  # one for each server that a test starts


def run(command: list[str]) -> int:
    """The command's exit code. Raises: CantMeasure where the engines can't be started."""
    with TemporaryDirectory(prefix="ringdesk-engines-") as name:
        folder = Path(name)
        folder.chmod(0o711)  # PostgreSQL runs as somebody else where we are root
        with (
            postgres.running(folder / "postgresql", **POSTGRESQL) as database,
            redis.running(folder / "redis.log", REDIS_DATABASES) as layer,
        ):
            process = subprocess.Popen(
                command, env=os.environ | {"DATABASE_URL": database.url("postgres"), "REDIS_URL": layer.url()}
            )
            # Ctrl-C reaches the command as well, which ends in order; the engines must outlast it.
            signal.signal(signal.SIGINT, lambda *_: None)
            signal.signal(signal.SIGTERM, lambda *_: process.terminate())
            return process.wait()


if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
