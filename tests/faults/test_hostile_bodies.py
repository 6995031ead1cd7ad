"""Whatever comes instead of a callback: it is answered, kept within bounds, and holds up no call."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from calls.models import VendorApp
from calls.senders import Opened, Sender
from calls.vendor import envelope
from calls.vendor.sandbox import call_notice
from tests.factory import AES_KEY, encrypted

from .hostile import Hostile
from .load import spread, traffic_to
from .pages import open_pages
from .scene import Scene

KEY = envelope.key_bytes(AES_KEY)
SENDER = Sender.of(VendorApp(pk=1, name="hostile", aes_key=AES_KEY, end_path="state", end_values="end"))

SEED = 20261123
A_GOOD_CALL_EVERY = 100  # bodies
SENT_AT_ONCE = 8
KEPT_MIB = 2
KEPT_ROWS = 200
MEMORY = 150  # MiB that the server may have grown by: bodies of 1 MiB are under way, and caches fill
SHOWN_WITHIN = 10.0  # seconds

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=80),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=12), inner, max_size=5),
    max_leaves=25,
)
names = st.sampled_from(["type", "data", "rel_wxid", "wxid", "chat_wxid", "voipid", "nickname", "state", "call"])


@pytest.fixture(autouse=True, scope="module")
def quiet() -> Iterator[None]:
    """Each body that can't be read is logged, and there are very many."""
    logger = logging.getLogger("calls.senders")
    logger.disabled = True
    yield
    logger.disabled = False


def opened(body: bytes) -> Opened:
    return SENDER.open(body, datetime.now(UTC))


@pytest.mark.engineless
@given(st.binary(max_size=600))
@settings(max_examples=400)
def test_any_bytes_are_read_or_kept_whole(body: bytes) -> None:
    found = opened(body)
    assert found.batch.unread == body or found.types or not body


@pytest.mark.engineless
@given(anything)
@settings(max_examples=400)
def test_any_json_is_read_or_kept(value: Any) -> None:
    body = encrypted(json.dumps(value).encode(), KEY)
    found = opened(body)
    assert found.batch.unread in {body, b""} or json.loads(found.batch.unread)


@pytest.mark.engineless
@given(st.dictionaries(names, anything, max_size=6), st.lists(st.dictionaries(names, anything, max_size=6), max_size=3))
@settings(max_examples=400)
def test_odd_notices_cost_no_good_one_between_them(notice: dict[str, Any], data: list[dict[str, Any]]) -> None:
    odd = [notice, {"type": "voiceVideoCall", "data": data}]
    good = call_notice("1688", "788", "a good call")
    found = opened(encrypted(json.dumps([*odd, good, *odd]).encode(), KEY))
    assert "a good call" in [call.voipid for call in found.batch.calls]


@pytest.mark.engineless
@given(st.binary(max_size=64), st.integers(0, 600))
@settings(max_examples=200)
def test_a_damaged_callback_is_read_or_kept_whole(damage: bytes, at: int) -> None:
    whole = envelope.seal([call_notice("1688", "788", "5")], KEY)
    body = whole[:at] + damage + whole[at + len(damage) :]
    found = opened(body)
    assert found.batch.unread == body or [call.voipid for call in found.batch.calls] == ["5"] or found.types


@pytest.mark.alone
def test_hostile_bodies_are_answered_and_kept_within_bounds_and_every_good_call_arrives(
    scene: Scene, full: bool, say: Callable[[str], None]
) -> None:
    bodies = 10_000 if full else 1500
    hostile = Hostile(KEY, scene.desk.wxid, SEED)
    scene.server.stop()
    scene.server.environment |= {"CALLBACK_LOG_MIB": str(KEPT_MIB), "CALLBACK_LOG_ROWS": str(KEPT_ROWS)}
    scene.server.start()

    async def run() -> None:
        async with traffic_to(scene.desk) as traffic, open_pages(scene.desk, scene.agent, 1) as wall:
            statuses = set()
            memory = []
            for _ in range(bodies // A_GOOD_CALL_EVERY):
                lots = [[hostile.body() for _ in range(A_GOOD_CALL_EVERY // SENT_AT_ONCE)] for _ in range(SENT_AT_ONCE)]

                async def send(lot: list[bytes]) -> None:
                    for body in lot:
                        statuses.add(await traffic.push_body(body))

                await asyncio.gather(*map(send, lots))
                await traffic.call()
                assert traffic.accepted[-1:] == traffic.pushed[-1:], "a good call was not accepted"
                memory.append(scene.memory())
            assert statuses <= {200, 413}
            pks = scene.pks(traffic.pushed)
            await wall.show(pks, SHOWN_WITHIN)
            scene.reject_some(pks)
            n = len(traffic.pushed)
            [(kept, size)] = scene.server.sql("SELECT count(*), sum(size) FROM calls_unreadbody")
            say(
                f"{bodies} bodies; {spread(traffic.answers)}; "
                f"memory {memory[0]:.0f} MiB at first, at most {max(memory):.0f} MiB, {memory[-1]:.0f} MiB at the end; "
                f"{kept} bodies of {int(str(size)) / 2**20:.1f} MiB kept; "
                f"sent {n}, stored {len(pks)}, shown {len(pks)}, rejected exactly once"
            )
            assert len(pks) == n
            assert max(memory) - memory[0] < MEMORY

    asyncio.run(run())
    scene.server.stop()  # which writes the log to its end
    [(kept, size), (rows, _)] = [
        *scene.server.sql("SELECT count(*), sum(size) FROM calls_unreadbody"),
        *scene.server.sql("SELECT count(*), 0 FROM calls_callback"),
    ]
    assert int(str(kept)) <= KEPT_ROWS + A_GOOD_CALL_EVERY
    assert int(str(size)) <= (KEPT_MIB + 2) * 2**20
    assert int(str(rows)) <= KEPT_ROWS + 2 * A_GOOD_CALL_EVERY
    assert "Traceback" not in scene.server.log
