"""What there is with Redis only."""

from __future__ import annotations

from pathlib import Path

import pytest
from redis import Redis

from dashboard import environment
from tests.server import Server, running_server

pytestmark = pytest.mark.postgresql_only


def listening(server: Server) -> int:
    """How many processes take in the changes of this server's installation."""
    url = server.environment["REDIS_URL"]
    with Redis.from_url(url) as client:
        [board] = client.pubsub_channels(f"ringdesk-{environment.redis_database(url)}-*board")
        [(_, number)] = client.pubsub_numsub(board)
    return int(number)


def test_installations_with_redis_databases_of_their_own_do_not_hear_each_other(tmp_path: Path, server: Server) -> None:
    """Though Redis itself knows no databases where it passes messages on."""
    with running_server(tmp_path) as other:
        assert (listening(server), listening(other)) == (1, 1)
