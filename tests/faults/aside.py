"""Faults that a scenario brings about while its load goes on in the event loop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager


@asynccontextmanager
async def aside(fault: AbstractContextManager[object]) -> AsyncIterator[None]:
    """Begin and end it in a thread, so that waiting for it holds up no load."""
    await asyncio.to_thread(fault.__enter__)
    try:
        yield
    finally:
        await asyncio.to_thread(fault.__exit__, None, None, None)
