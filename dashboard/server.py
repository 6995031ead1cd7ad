"""Starting the server: one per data folder, on a port that is free, and a clear line where that can't be."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

import uvicorn
from django.conf import settings

from calls import metrics

from . import http, websocket
from .workers import Workers

LOCK = "server.lock"  # in the data folder, held by the server that uses it


class CantStart(Exception):
    """Why the server can't start, in one line for the operator."""


@contextmanager
def sole_server(folder: Path) -> Iterator[None]:
    """Hold the data folder. Two servers on it would mean two writers, and two of everything that happens on a timer.

    Raises: CantStart where another server holds it.
    """
    with (folder / LOCK).open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise CantStart(f"another server{_pid_in(file)} uses {folder}. Stop it first.") from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """A socket that listens there.

    Raises: CantStart where the port is taken or the address isn't ours. Found out before anything starts: uvicorn would
    begin its work first, and bind after.
    """
    try:
        family, kind, protocol, _name, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(2048)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise CantStart(
                f"port {port} on {host} is in use. Stop what uses it, or set BIND to another host:port."
            ) from None
        raise CantStart(f"{host}:{port} can't be bound ({error.strerror}). Set BIND to another host:port.") from None
    listener.set_inheritable(True)
    return listener


def serve(listener: socket.socket, when_ready: Callable[[], None]) -> None:
    """Serve until told to stop (SIGINT, SIGTERM); then let requests under way end, for up to 10 s.

    Raises: SystemExit where it could not start, for a reason that is logged.
    """
    config = uvicorn.Config(
        "dashboard.asgi:application",
        workers=settings.WORKERS,
        loop="uvloop",
        http=http.Protocol,
        ws=websocket.Protocol,
        ws_max_size=64 * 1024,  # bytes; pages send next to nothing
        ws_per_message_deflate=False,  # would nearly halve the deliveries a second
        lifespan="on",
        log_level="warning",
        log_config=None,
        access_log=False,  # would hold the callback secret
        server_header=False,
        timeout_graceful_shutdown=10,
        # Longer than proxies and HTTP clients hold idle connections: a callback that is sent just as this end hangs up is
        # lost, since the vendor pushes it once.
        timeout_keep_alive=120,  # seconds
        timeout_worker_healthcheck=20,  # seconds in which a process starts, or says that it is alive
    )
    if settings.WORKERS > 1:
        metrics.count_together(settings.DATA_DIR / "metrics")
        workers = Workers(config, listener, when_ready)
        workers.run()
        started = workers.could_start
    else:
        server = _Server(config, when_ready)
        server.run(sockets=[listener])
        started = server.started
    if not started:
        sys.exit(1)


class _Server(uvicorn.Server):
    def __init__(self, config: uvicorn.Config, when_ready: Callable[[], None]) -> None:
        super().__init__(config)
        self.when_ready = when_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self.when_ready()


def _pid_in(file: TextIO) -> str:
    file.seek(0)
    pid = file.read().strip()
    return f" (process {pid})" if pid else ""
