"""Several processes behind one listening socket: started, looked after, and replaced one by one when told to (SIGHUP)."""

from __future__ import annotations

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable
from multiprocessing.process import BaseProcess
from socket import socket

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

from calls import metrics

logger = logging.getLogger(__name__)

AGAIN_AFTER = 1.0  # seconds before another one is started in place of one that could not start


class Workers(Multiprocess):
    """uvicorn's, but it tells when all are ready, and whether they could start. Once they could, it doesn't end over one
    that can't take the place of one that died: the database may be away, and the others have a spool."""

    def __init__(self, config: Config, listener: socket, when_ready: Callable[[], None]) -> None:
        super().__init__(config, [listener])
        self._when_ready = when_ready
        self._were_ready = False
        self._pids: set[int | None] = set()
        self.could_start = True

    def keep_subprocess_alive(self) -> None:
        """Called twice a second."""
        for place, process in enumerate(self.processes):
            if self.should_exit.is_set():
                return
            process.child_conn.close()  # only its own copy is left, so that its death is seen while it is asked
            if not process.is_alive(self.config.timeout_worker_healthcheck):
                self._replace(place, process)
        self._forget_the_gone()
        if not self._were_ready and all(process.is_ready() for process in self.processes):
            self._were_ready = True
            self._when_ready()

    def _replace(self, place: int, process: Process) -> None:
        process.kill()  # it may hang
        process.join()
        if process.exitcode == STARTUP_FAILURE:
            if not self._were_ready:
                self.could_start = False
                self.should_exit.set()
                return
            time.sleep(AGAIN_AFTER)
        logger.error("process %s ended (%s); another one takes its place", process.pid, process.exitcode)
        self.processes[place] = Process(self.config, self.sockets)
        self.processes[place].start()

    def _forget_the_gone(self) -> None:
        pids = {process.pid for process in self.processes}
        for pid in self._pids - pids:
            metrics.forget(pid)
        self._pids = pids


def end_with_parent() -> None:
    """For a worker: stop in order if the process that looks after it is killed, and nobody is left who would."""
    if parent := multiprocessing.parent_process():
        threading.Thread(target=_stop_after, args=[parent], name="parent", daemon=True).start()


def _stop_after(parent: BaseProcess) -> None:
    parent.join()
    os.kill(os.getpid(), signal.SIGTERM)
