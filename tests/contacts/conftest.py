from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from channels.layers import get_channel_layer

from .hosts import Host, strangers_host


@pytest.fixture
def host() -> Iterator[Host]:
    with strangers_host() as running:
        yield running


@pytest.fixture
def drawn_anew(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The calls whose cards were published."""
    published: list[int] = []

    async def note(group: str, message: dict[str, Any]) -> None:
        published.extend(message.get("calls", []))

    monkeypatch.setattr(get_channel_layer(), "group_send", note)
    return published
