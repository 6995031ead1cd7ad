"""Where Django looks for the backend that settings name."""

from __future__ import annotations

from typing import Any, TypeVar

import psycopg
from django.db.backends.postgresql import base
from psycopg.abc import PQGen
from psycopg.errors import _WaitTimeout

from .. import patience

T = TypeVar("T")


class Connection(psycopg.Connection):
    """Gives itself up where an answer doesn't come within the time that this thread has."""

    def wait(self, gen: PQGen[T], interval: float = 0.1, timeout: float | None = None) -> T:
        seconds = patience.in_seconds() if timeout is None else timeout
        try:
            return super().wait(gen, interval, seconds)
        except _WaitTimeout:
            if timeout is None:
                self.close()
                raise psycopg.OperationalError(f"the database gave no answer within {seconds:g} s") from None
            raise


class DatabaseWrapper(base.DatabaseWrapper):
    def get_new_connection(self, conn_params: dict[str, Any]) -> Connection:
        self.isolation_level = psycopg.IsolationLevel.READ_COMMITTED
        return Connection.connect(**conn_params)
