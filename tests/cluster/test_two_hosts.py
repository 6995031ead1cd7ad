"""Two hosts behind nginx are one Ringdesk, whichever of them does what, and when one of them is gone."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from websockets.sync.client import ClientConnection

from calls.locks import number_of
from calls.vendor.sandbox import call_notice
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.faults.clicks import click, session_key_of
from tests.faults.pages import calls_in
from tests.installation import ROOT
from tests.live.sockets import card, next_with, socket_of
from tests.server import Server
from tests.threads import at_once
from tests.waiting import eventually

from .conftest import Cluster
from .load import nothing_is_lost

DOUBTFUL = "data-doubtful"

pytestmark = [pytest.mark.engineless, pytest.mark.by_two]  # clusters have engines of their own


@contextmanager
def pages_on_each(cluster: Cluster, agent: str) -> Iterator[list[ClientConnection]]:
    """A page on each host, each of which has been sent its board."""
    with ExitStack() as stack:
        pages = [stack.enter_context(socket_of(host, agent)) for host in cluster.hosts]
        for page in pages:
            next_without(page, DOUBTFUL, 'id="board"')
        yield pages


def next_without(page: ClientConnection, part: str, text: str) -> str:
    """The next message that holds this text, and not this part."""
    while part in (message := next_with(page, text)):
        pass
    return message


def next_with_all(page: ClientConnection, pks: list[int]) -> None:
    """Messages until each of these calls was in one."""
    missing = set(pks)
    while missing:
        missing -= calls_in(next_with(page, "").encode())


def call_into(host: Server, desk: Desk) -> int:
    """A customer calls, and the callback comes to this host; the call's id."""
    voipid = random.randint(10**9, 10**12)
    push(host, desk, voipid)
    return desk.call_pk(str(voipid))


def push(host: Server, desk: Desk, voipid: int) -> None:
    answer = host.push(desk.secret, [call_notice(desk.wxid, "7881300000000001", voipid)])
    assert answer.json() == {"errcode": 0}


# One Ringdesk


def test_a_first_start_of_both_at_once_makes_one_admin(two_hosts: Cluster) -> None:
    assert two_hosts.front.sql("SELECT username FROM calls_person WHERE role = 'admin'") == [("admin",)]
    assert sum("No admin yet" in host.log for host in two_hosts.hosts) == 1


def test_a_callback_into_either_host_is_shown_on_pages_of_both(two_hosts: Cluster) -> None:
    desk, [agent] = two_hosts.desk()
    with pages_on_each(two_hosts, agent) as pages:
        for host in two_hosts.hosts:
            pk = call_into(host, desk)
            for page in pages:
                next_with(page, f'id="call-{pk}"')


def test_of_50_clicks_on_both_hosts_one_counts_and_every_page_shows_whose(two_hosts: Cluster) -> None:
    desk, agents = two_hosts.desk(agents=2)
    keys = [session_key_of(two_hosts.front, agent, PASSWORD) for agent in agents]
    pk = call_into(two_hosts.hosts[0], desk)
    with pages_on_each(two_hosts, agents[0]) as pages:
        answers = at_once(50, lambda number: click(two_hosts.hosts[number % 2], keys[number // 2 % 2], pk))
        assert {answer.status_code for answer in answers} == {200}
        assert len(desk.vendor.rejects) == 1
        assert two_hosts.front.sql("SELECT result FROM calls_attempt WHERE call_id = ?", pk) == [("accepted",)]
        for page in pages:
            while 'data-status="rejected"' not in card(next_with(page, f'id="call-{pk}"'), pk):
                pass


def test_a_token_is_fetched_once_for_both_hosts(two_hosts: Cluster) -> None:
    desk, [agent] = two_hosts.desk()
    key = session_key_of(two_hosts.front, agent, PASSWORD)
    pks = [call_into(host, desk) for host in two_hosts.hosts * 4]
    at_once(len(pks), lambda number: click(two_hosts.hosts[number % 2], key, pks[number]))
    assert (len(desk.vendor.tokens), len(desk.vendor.rejects)) == (1, len(pks))


def test_hosts_that_store_calls_of_the_same_people_at_once_are_not_in_each_others_way(two_hosts: Cluster) -> None:
    desk, _ = two_hosts.desk()
    people = [f"78813000000{number:05}" for number in range(12)]

    def push_some(number: int) -> set[int]:
        host, chance = two_hosts.hosts[number % 2], random.Random(number)
        statuses = set()
        for callback in range(6):
            first = number * 10**6 + callback * 100 + 10**9
            some = enumerate(chance.sample(people, 6), start=first)
            notices = [call_notice(desk.wxid, who, voipid, nickname=f"{chance.random()}") for voipid, who in some]
            statuses.add(host.push(desk.secret, notices).status_code)
        return statuses

    assert at_once(8, push_some) == [{200}] * 8
    where = "FROM calls_call JOIN calls_account ON account_id = calls_account.id WHERE wxid = ?"
    eventually(lambda: two_hosts.front.sql(f"SELECT count(*) {where}", desk.wxid) == [(8 * 6 * 6,)], within=30)
    assert not any("deadlock" in host.log for host in two_hosts.hosts)


def test_another_secret_key_than_the_others_have_is_refused(two_hosts: Cluster) -> None:
    environment = two_hosts.front.environment | {"SECRET_KEY": "another"}
    done = subprocess.run(
        [sys.executable, "manage.py", "serve"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=30
    )
    assert done.returncode == 1
    assert "another server that uses this database has another SECRET_KEY" in done.stderr
    assert len(done.stderr.splitlines()) == 1


# One is gone


def housekeepers(cluster: Cluster) -> list[str]:
    """Which hosts hold the lock."""
    key = number_of("housekeeping") % 2**64
    rows = cluster.front.sql(
        "SELECT usename FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE locktype = 'advisory' AND granted"
        " AND classid = ? AND objid = ?",
        key >> 32,
        key % 2**32,
    )
    return [str(name) for (name,) in rows]


def test_one_host_keeps_house_and_the_other_takes_over_when_it_is_killed(two_hosts: Cluster) -> None:
    eventually(lambda: len(housekeepers(two_hosts)) == 1)
    [name] = housekeepers(two_hosts)
    [leader] = [host for host in two_hosts.hosts if host.role == name]
    [other] = [host for host in two_hosts.hosts if host.role != name]
    leader.kill()
    try:
        eventually(lambda: housekeepers(two_hosts) == [other.role], within=5)
        person = two_hosts.front.sql("SELECT min(id) FROM calls_person")[0][0]
        two_hosts.front.sql(  # one that was lost long ago
            "INSERT INTO calls_export (person_id, requested_at, alive_at, format, query, language, zone, state, failure,"
            " file, rows, accounts)"
            " VALUES (?, now(), now() - interval '1 day', 'csv', '', 'en', 'UTC', 'running', '', '', 0, '[]')",
            person,
        )
        eventually(lambda: two_hosts.front.sql("SELECT DISTINCT state FROM calls_export") == [("failed",)])
    finally:
        leader.start()
    assert housekeepers(two_hosts) == [other.role]


def test_who_keeps_house_and_is_hung_up_on_by_the_database_does_no_longer(two_hosts: Cluster) -> None:
    eventually(lambda: len(housekeepers(two_hosts)) == 1)
    two_hosts.front.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE starts_with(application_name, 'ringdesk-locks-')"
    )
    eventually(lambda: len(housekeepers(two_hosts)) == 1)


def test_hosts_that_are_restarted_in_turn_under_load_lose_nothing(two_hosts: Cluster) -> None:
    desk, [agent] = two_hosts.desk()

    async def run() -> None:
        async with nothing_is_lost(desk, agent):
            for host in two_hosts.hosts:
                await asyncio.to_thread(host.stop)
                await asyncio.to_thread(host.start)

    asyncio.run(run())


def test_while_callbacks_wait_on_one_host_pages_of_the_other_say_so_and_supervisors_are_told(two_hosts: Cluster) -> None:
    desk, [agent] = two_hosts.desk()
    supervisor = desk.person("--supervisor")
    one, other = two_hosts.hosts
    session = other.sign_in(supervisor, PASSWORD)
    call_into(one, desk)  # from now on it knows the desk's vendor app
    voipid = random.randint(10**9, 10**12)
    with socket_of(other, agent) as page:
        next_without(page, DOUBTFUL, 'id="board"')
        with one.without_database():
            push(one, desk, voipid)
            next_with(page, DOUBTFUL)
            eventually(lambda: "1 个回调" in session.get(f"{other.url}/alarms/", timeout=10).text)
        board = next_without(page, DOUBTFUL, 'id="board"')
    assert f'id="call-{desk.call_pk(str(voipid))}"' in board


def test_a_host_whose_cable_was_pulled_is_done_without_and_comes_back_to_what_it_missed(two_hosts: Cluster) -> None:
    desk, [agent] = two_hosts.desk()
    one, other = two_hosts.hosts
    with pages_on_each(two_hosts, agent) as [cut_off, connected]:
        one.place.cut()
        try:
            pks = [call_into(two_hosts.front, desk) for _ in range(4)]  # nginx tries both hosts in turn
            next_with_all(connected, pks)
        finally:
            one.place.mend()
        next_with_all(cut_off, pks)


# Redis is gone


def test_while_redis_hangs_pages_show_calls_with_doubts_and_without_them_once_it_is_back(two_hosts: Cluster) -> None:
    desk, [agent] = two_hosts.desk()
    with pages_on_each(two_hosts, agent) as pages:
        with two_hosts.redis.halted():
            for page in pages:
                next_with(page, DOUBTFUL)
            pk = call_into(two_hosts.hosts[0], desk)
            for page in pages:
                assert DOUBTFUL in next_with(page, f'id="call-{pk}"')
        for page in pages:
            next_without(page, DOUBTFUL, 'id="board"')
