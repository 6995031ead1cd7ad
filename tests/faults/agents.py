"""Agents in processes of their own (agents_process.py), who all click at the same moment."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.installation import ROOT
from tests.server import Server


class Agents:
    """The process, as a test sees it."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.session_keys: list[str] = self._hear()

    def click(self, *pks: int) -> None:
        """Have them click; doesn't wait for what becomes of it."""
        assert self._process.stdin
        print(*pks, file=self._process.stdin, flush=True)

    def outcome(self) -> list[bool]:
        """Which of the last clicks counted."""
        return self._hear()

    def _hear(self) -> list:
        assert self._process.stdout
        line = self._process.stdout.readline()
        assert line, "the agents' process died"
        heard: list = json.loads(line)
        return heard


@contextmanager
def agents(server: Server, number: int, processes: int = 1) -> Iterator[list[Agents]]:
    """So many agents in each of several processes, on the server's database."""
    command = [sys.executable, "-m", "tests.faults.agents_process", str(number)]
    running = [
        subprocess.Popen(command, cwd=ROOT, env=server.environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(processes)
    ]
    try:
        yield [Agents(process) for process in running]
    finally:
        for process in running:
            process.communicate(timeout=20)  # the end of its input is the end of its work
