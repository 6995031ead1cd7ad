"""What Ringdesk counts, in Prometheus' terms. Served at /metrics: of all the processes of a server together."""

import os
import shutil
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

_FOLDER = "PROMETHEUS_MULTIPROC_DIR"  # prometheus_client looks there when it is imported

CALLBACKS = Counter("ringdesk_callbacks", "Callbacks, by what became of them", ["result"])
CALLBACK_SECONDS = Histogram(
    "ringdesk_callback_seconds",
    "From the whole body received to the answer",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5),
)
NOTICES = Counter("ringdesk_notices", "Notices in callbacks, by type; chat messages leave no other trace", ["type"])
CALLS = Counter("ringdesk_calls", "Calls in callbacks: new, or pushed again", ["result"])
SPOOLED = Gauge("ringdesk_spooled_callbacks", "Callbacks on disk that wait for the database", multiprocess_mode="livesum")
REJECTS = Counter("ringdesk_reject_requests", "Requests to the vendor to reject a call", ["result"])
PUSHES = Counter("ringdesk_pushes", "Web Push messages, by what became of them", ["result"])
# Each process knows of them all.
PEOPLE = Gauge("ringdesk_people_online", "People with a page open, on all hosts", multiprocess_mode="livemax")
SOCKETS = Gauge("ringdesk_open_sockets", "Pages with an open socket", multiprocess_mode="livesum")


# With labels, as they are asked for with every callback: to look them up takes twice the time of counting.


@cache
def callbacks(result: str) -> Counter:
    return CALLBACKS.labels(str(result))


@cache
def notices(kind: str) -> Counter:
    return NOTICES.labels(kind)


def count_together(folder: Path) -> None:
    """Have the processes that this one starts count in files in this folder. What others counted there before is removed."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.environ[_FOLDER] = str(folder)


def forget(pid: int | None) -> None:
    """What a process that is gone had at that moment counts no longer; what it has counted does."""
    mark_process_dead(pid)


def as_text() -> bytes:
    """In Prometheus' text form."""
    if _FOLDER not in os.environ:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return generate_latest(registry)
