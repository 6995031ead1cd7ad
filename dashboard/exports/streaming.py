"""Sending what is made, or read, a few parts at a time: the server holds no more, and a client that goes away ends it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

from django.db import connection

AT_ONCE = 4  # parts, by one connection to the database: to open it takes a good part of the time for one

# Few, so that downloads share what they take from everything else. None holds a thread while its client takes some.
_threads = ThreadPoolExecutor(2, thread_name_prefix="downloads")


class Streamed:
    """For StreamingHttpResponse, which would put together a plain iterator as a whole before it sent anything."""

    def __init__(self, parts: Iterator[bytes]) -> None:
        self._parts = parts
        self._lock = threading.Lock()

    def __aiter__(self) -> Streamed:
        return self

    async def __anext__(self) -> bytes:
        loop = asyncio.get_running_loop()
        while (part := await loop.run_in_executor(_threads, self._next)) == b"":
            pass  # there is none yet
        if part is None:
            raise StopAsyncIteration
        return part

    def close(self) -> None:
        """Called by Django when the response is over, whether it went out or not."""
        with self._lock:
            if hasattr(self._parts, "close"):
                self._parts.close()

    def _next(self) -> bytes | None:
        """Some parts as one; None where there are no more."""
        with self._lock:
            try:
                parts = list(islice(self._parts, AT_ONCE))
                return b"".join(parts) if parts else None
            finally:
                connection.close()  # a slow client holds none
