"""One host with two processes: whichever of them does what, and when one of them is killed or replaced."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
import requests
from websockets.sync.client import ClientConnection

from calls.vendor.sandbox import call_notice
from tests.desk import Desk
from tests.faults.pages import calls_in
from tests.installation import ROOT
from tests.live.sockets import next_with, socket_of
from tests.waiting import eventually

from .conftest import Cluster
from .hosts import Host
from .load import nothing_is_lost

pytestmark = [pytest.mark.engineless, pytest.mark.by_two]  # clusters have engines of their own


def counted(host: Host, line: str) -> float:
    """What /metrics says."""
    lines = requests.get(f"{host.url}/metrics", timeout=10).text.splitlines()
    return float(next((found.split()[-1] for found in lines if found.startswith(f"{line} ")), 0))


@contextmanager
def page_in_each_process(host: Host, agent: str) -> Iterator[list[ClientConnection]]:
    with ExitStack() as stack:
        pages = []
        for worker in host.workers():
            with host.alone(worker):
                pages.append(stack.enter_context(socket_of(host, agent)))
        for page in pages:
            next_with(page, 'id="board"')
        yield pages


def test_a_callback_into_either_process_is_shown_on_pages_held_by_both(two_processes: Cluster) -> None:
    [host] = two_processes.hosts
    desk, [agent] = two_processes.desk()
    desk.server = host  # each of its callbacks comes by a connection of its own
    with page_in_each_process(host, agent) as pages:
        for worker in host.workers():
            with host.alone(worker):
                pk = desk.call_pk(desk.call())
            for page in pages:
                next_with(page, f'id="call-{pk}"')


def test_people_at_either_process_are_online_at_both_and_so_is_what_they_look_at(two_processes: Cluster) -> None:
    [host] = two_processes.hosts
    desk, agents = two_processes.desk(agents=2)
    desk.server = host
    pk = desk.call_pk(desk.call())
    with ExitStack() as stack:
        pages = []
        for worker, agent in zip(host.workers(), agents, strict=True):
            with host.alone(worker):
                pages.append(stack.enter_context(socket_of(host, agent, language="en")))
        for page in pages:
            next_with(page, "2 online")
        pages[0].send(json.dumps({"looking": pk}))
        for page in pages:
            assert f">{agents[0]}<" in next_with(page, f'data-call="{pk}"')
        assert counted(host, "ringdesk_people_online") == 2
        pages[0].close()
        next_with(pages[1], "1 online")


def test_counts_are_those_of_both_processes_whichever_is_asked(two_processes: Cluster) -> None:
    [host] = two_processes.hosts
    desk, [agent] = two_processes.desk()
    desk.server = host
    name = 'ringdesk_calls_total{result="new"}'
    before = counted(host, name)
    with page_in_each_process(host, agent):
        for worker in host.workers():
            with host.alone(worker):
                desk.call()
        for worker in host.workers():
            with host.alone(worker):
                assert (counted(host, name) - before, counted(host, "ringdesk_open_sockets")) == (2, 2)
    eventually(lambda: counted(host, "ringdesk_open_sockets") == 0)


def test_what_a_process_had_on_disk_when_it_was_killed_is_stored_by_the_one_that_takes_its_place(
    two_processes: Cluster,
) -> None:
    [host] = two_processes.hosts
    desk, [agent] = two_processes.desk()
    desk.server = host
    before = host.workers()
    for worker in before:
        with host.alone(worker):
            desk.call()  # from now on it knows the desk's vendor app
    voipids = [str(10**11 + number) for number in range(8)]
    with two_processes.postgres.halted():
        for voipid in voipids:
            answer = host.push(desk.secret, [call_notice(desk.wxid, "7881300000000001", int(voipid))])
            assert answer.json() == {"errcode": 0}
        assert counted(host, "ringdesk_spooled_callbacks") == len(voipids)
        for worker in before:
            os.kill(worker, signal.SIGKILL)
        eventually(lambda: len(host.workers()) == 2 and not set(before) & set(host.workers()), within=20)
    eventually(lambda: set(voipids) <= set(stored(desk)), within=20)
    assert len(stored(desk)) == len(set(stored(desk)))
    with socket_of(host, agent) as page:
        board = next_with(page, 'id="board"')
        assert {desk.call_pk(voipid) for voipid in voipids} <= calls_in(board.encode())


def stored(desk: Desk) -> list[str]:
    rows = desk.server.sql(
        "SELECT voipid FROM calls_call JOIN calls_account ON account_id = calls_account.id WHERE wxid = ? ORDER BY voipid",
        desk.wxid,
    )
    return [str(voipid) for (voipid,) in rows]


def test_processes_that_are_replaced_one_by_one_under_load_lose_nothing(two_processes: Cluster) -> None:
    [host] = two_processes.hosts
    desk, [agent] = two_processes.desk()

    async def run() -> None:
        async with nothing_is_lost(desk, agent):
            await asyncio.to_thread(host.replace_workers)

    asyncio.run(run())


def test_processes_stop_when_the_one_that_looks_after_them_is_killed(two_processes: Cluster) -> None:
    [host] = two_processes.hosts
    workers = host.workers()
    host.kill()
    try:
        eventually(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers), within=15)
    finally:
        host.start()


def test_a_start_is_over_when_every_process_is_ready_and_an_end_in_order_is_no_failure(two_processes: Cluster) -> None:
    [host] = two_processes.hosts
    assert host.stopped() == 0
    host.start(wait=False)
    said = host.log.count("Ringdesk is at")
    eventually(lambda: host.log.count("Ringdesk is at") > said, within=30)
    assert len(host.workers()) == 2
    assert requests.get(f"{host.url}/readyz", timeout=10).ok


def test_processes_that_can_not_start_make_the_start_fail(two_processes: Cluster) -> None:
    environment = two_processes.front.environment | {"WORKERS": "2"}
    (two_processes.front.folder / "spool.0").mkdir()
    try:
        done = subprocess.run(
            [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
        )
    finally:
        (two_processes.front.folder / "spool.0").rmdir()
    assert (done.returncode, done.stdout) == (1, "")
    assert "Ringdesk can't start: " in done.stderr
