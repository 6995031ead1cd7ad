"""PostgreSQL is away for a while: every callback is answered in time, and stored once, in its order, afterwards."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from calls.vendor.sandbox import Sandbox
from tests.factory import PASSWORD
from tests.faults.aside import aside
from tests.faults.clicks import click, session_key_of
from tests.faults.load import spread, traffic_to
from tests.faults.pages import open_pages
from tests.faults.scene import Scene
from tests.waiting import eventually

from .conftest import scene_on
from .postgresql import DATABASE, Node, new_standby
from .proxy import Proxy

pytestmark = [pytest.mark.engineless, pytest.mark.by_two]

CALLS, CHATS = 20, 30  # a second
STALL = 1.0  # seconds: the vendor hangs up
STALE_WITHIN = 3.0  # seconds until no page is told any more that it is live; without a word it says so itself 4.5 s later
CLICK_WITHIN = 12.0  # seconds
STORED_WITHIN = 30.0  # seconds
OWNER = "somebody"  # PostgreSQL keeps some connections for its administrators, which this one is not
TAKER = "taker"
HUNG_UP_ON = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = %s AND application_name <> %s"
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND application_name <> %s"


@dataclass
class Stage:
    """What a scenario plays on: a server that reaches its database by way of a proxy."""

    scene: Scene
    node: Node
    proxy: Proxy


@pytest.fixture
def stage(primary: Node, tmp_path: Path, sandbox: Sandbox) -> Iterator[Stage]:
    primary.sql(f"CREATE ROLE {OWNER} LOGIN")
    primary.sql(f"ALTER DATABASE {DATABASE} OWNER TO {OWNER}")
    with closing(Proxy(primary.port)) as proxy:
        address = f"postgres://{OWNER}@127.0.0.1:{proxy.port}/{DATABASE}"
        with scene_on(primary, address, tmp_path, sandbox) as scene:
            yield Stage(scene, primary, proxy)


@contextmanager
def restarted(stage: Stage) -> Iterator[None]:
    stage.node.stop()
    yield
    stage.node.start()


@contextmanager
def restarted_at_once(stage: Stage) -> Iterator[None]:
    """It has to recover, and refuses connections until it has."""
    stage.node.stop(signal.SIGQUIT)
    yield
    stage.node.start()


@contextmanager
def out_of_connections(stage: Stage) -> Iterator[None]:
    """Others hold them all, and take each that comes free."""
    address = stage.node.url.replace("ringdesk@", f"{OWNER}@")
    held: list[psycopg.Connection] = []
    over = threading.Event()

    def take_all() -> None:
        while True:
            held.append(psycopg.connect(address, application_name=TAKER))

    def keep_taking() -> None:
        while not over.wait(0.05):
            with suppress(psycopg.OperationalError):
                take_all()
            stage.node.sql(HUNG_UP_ON, [OWNER, TAKER])

    taking = threading.Thread(target=keep_taking)
    taking.start()
    try:
        eventually(lambda: stage.node.sql(OTHERS, [OWNER, TAKER]) == [(0,)])
        yield
    finally:
        over.set()
        taking.join()
        for connection in held:
            connection.close()


def halted(stage: Stage) -> AbstractContextManager[None]:
    return stage.node.halted()


def cut_off(stage: Stage) -> AbstractContextManager[None]:
    """What is sent is taken and lost; connections from before are never heard of again."""
    return stage.proxy.partition()


@pytest.mark.parametrize(
    ("fault", "seconds", "seconds_in_full"),
    [(restarted, 6, 15), (restarted_at_once, 6, 15), (out_of_connections, 7, 20), (halted, 12, 30), (cut_off, 12, 30)],
)
def test_an_outage_costs_no_callback_and_no_order_and_heals_by_itself(
    stage: Stage,
    full: bool,
    say: Callable[[str], None],
    fault: Callable[[Stage], AbstractContextManager[object]],
    seconds: float,
    seconds_in_full: float,
) -> None:
    lasts, scene = seconds_in_full if full else seconds, stage.scene

    async def run() -> None:
        session = await asyncio.to_thread(session_key_of, scene.server, scene.agent, PASSWORD)
        async with traffic_to(scene.desk) as traffic, open_pages(scene.desk, scene.agent, 3) as wall:
            load = asyncio.create_task(traffic.pace(lasts + 3, CALLS, CHATS))
            await traffic.come_to(30)
            [ringing, *_] = await asyncio.to_thread(scene.pks, traffic.pushed[:1])
            async with aside(fault(stage)):
                began = time.perf_counter()
                refused = asyncio.create_task(asyncio.to_thread(click, scene.server, session, ringing))
                await asyncio.sleep(lasts)
                waiting = await asyncio.to_thread(scene.spooled)
                ended = time.perf_counter()
                assert wall.told_live(began + STALE_WITHIN, ended) == 0
            early = len(traffic.pushed)
            await load
            assert set(traffic.statuses) == {200}
            assert max(answer.seconds for answer in traffic.answers) < STALL
            assert waiting > lasts * CALLS / 2
            answer = await refused
            nothing_sent = answer.status_code == 500 or "Nothing was sent" in answer.text
            assert nothing_sent or fault is out_of_connections  # one may have come free for the click, or for half of it
            assert len(scene.desk.vendor.rejects) <= (not nothing_sent)
            assert answer.elapsed.total_seconds() < CLICK_WITHIN
            await asyncio.to_thread(scene.all_stored, traffic.pushed, STORED_WITHIN)
            pks = await asyncio.to_thread(scene.pks, traffic.pushed)
            assert len(pks) == (n := len(traffic.pushed))
            await wall.show(pks, STORED_WITHIN)
            assert traffic.overtaken(scene.voipids(pks)) == []
            await asyncio.to_thread(scene.reject_some, pks[1:])
            say(
                f"{lasts} s, {waiting:.0f} in the spool; {spread(traffic.answers)}; those that waited all shown "
                f"{wall.shown_by(pks[:early]) - ended:.1f} s afterwards; a click answered {answer.status_code} after "
                f"{answer.elapsed.total_seconds():.1f} s; sent {n}, stored {n}, shown {n}, rejected exactly once"
            )

    asyncio.run(run())


def test_a_standby_that_takes_over_has_every_call_that_was_answered(
    primary: Node, folder: Path, tmp_path: Path, sandbox: Sandbox, full: bool, say: Callable[[str], None]
) -> None:
    standby = new_standby(folder / "standby", primary)
    address = f"postgres://ringdesk@127.0.0.1:{primary.port},127.0.0.1:{standby.port}/{DATABASE}"
    seconds, calls = (10, 100) if full else (4, 50)

    async def run(scene: Scene) -> None:
        async with traffic_to(scene.desk) as traffic, open_pages(scene.desk, scene.agent, 3) as wall:
            load = asyncio.create_task(traffic.pace(seconds, calls))
            await traffic.come_to(round(seconds * calls / 4))
            await asyncio.to_thread(primary.kill)
            await traffic.come_to(len(traffic.answers) + calls)
            promoted = time.perf_counter()
            await asyncio.to_thread(standby.promote)
            scene.server.node = standby  # type: ignore[attr-defined]
            early = len(traffic.pushed)
            await load
            assert set(traffic.statuses) == {200}
            assert max(answer.seconds for answer in traffic.answers) < STALL
            await asyncio.to_thread(scene.all_stored, traffic.pushed, STORED_WITHIN)
            pks = await asyncio.to_thread(scene.pks, traffic.pushed)
            assert len(pks) == (n := len(traffic.pushed))
            await wall.show(pks, STORED_WITHIN)
            assert traffic.overtaken(scene.voipids(pks)) == []
            await asyncio.to_thread(scene.reject_some, pks)
            say(
                f"{calls} calls a second; {spread(traffic.answers)}; those from before shown "
                f"{wall.shown_by(pks[:early]) - promoted:.1f} s after the promotion; sent {n}, stored {n}, shown {n}, "
                "rejected exactly once"
            )

    try:
        with scene_on(primary, address, tmp_path, sandbox) as scene:
            asyncio.run(run(scene))
    finally:
        standby.kill()
