"""The vendor's side of a reject, in a process of its own (vendor_process.py), which tells when each request came."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests

from .servers import free_port, started, takes_connections


@dataclass(frozen=True)
class Reject:
    """One request to reject a call; the moments are those of time.perf_counter."""

    came_at: float
    answered_at: float | None  # None: not yet, or whoever asked gave up


class Vendor:
    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def answer_after(self, seconds: float) -> None:
        requests.post(f"{self.url}/bench/delay", json=seconds, timeout=5).raise_for_status()

    def waiting(self) -> int:
        """How many rejects wait for their answer."""
        return int(self._told()["waiting"])

    def rejects(self) -> dict[str, list[Reject]]:
        """All that came, by voipid."""
        return {voipid: [Reject(*moments) for moments in came] for voipid, came in self._told()["rejects"].items()}

    def _told(self) -> dict[str, Any]:
        told: dict[str, Any] = requests.get(f"{self.url}/bench/rejects", timeout=5).json()
        return told


@contextmanager
def running(folder: Path) -> Iterator[Vendor]:
    port = free_port()
    command = [sys.executable, "-m", "bench.vendor_process", str(port)]
    with started(command, {"PATH": os.environ["PATH"]}, port, folder / "vendor.log", lambda: takes_connections(port)):
        yield Vendor(port)
