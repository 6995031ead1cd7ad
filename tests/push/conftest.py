from __future__ import annotations

from collections.abc import Iterator

import pytest

from calls.push.pushing import Pushing
from tests.push_service import Browser, PushService, running_push_service


@pytest.fixture
def service() -> Iterator[PushService]:
    with running_push_service() as running:
        yield running


@pytest.fixture
def browser(service: PushService) -> Browser:
    return Browser(service)


@pytest.fixture
def pushing(transactional_db: None) -> Iterator[Pushing]:
    running = Pushing()
    running.start()
    yield running
    running.stop()
