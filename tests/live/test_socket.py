"""The board's socket, on the real server: what is sent, to whom, and when it is closed."""

from __future__ import annotations

import re

import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from calls.vendor.sandbox import Sandbox, call_notice
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.server import Server

from .sockets import WITHIN, card, close_code, next_with, socket_of


def test_the_first_message_is_the_whole_board(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    ringing = desk.call_pk(desk.call())
    with socket_of(desk.server, agent) as socket:
        board = socket.recv(timeout=WITHIN)
    assert isinstance(board, str)
    assert board.lstrip().startswith('<section id="board"')
    assert 'data-status="ringing"' in card(board, ringing)


def test_a_new_call_is_sent_as_one_element(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        pk = desk.call_pk(desk.call())
        message = next_with(socket, f'id="call-{pk}"')
    assert message.count("<article") == 1
    assert 'data-status="ringing"' in message


def test_a_call_pushed_again_is_not_sent_again(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    first, second = (call_notice(desk.wxid, "788", f"again-{desk.number}-{number}") for number in (1, 2))
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        for notice in (first, first, second):
            desk.server.push(desk.secret, [notice])
        pks = [desk.call_pk(f"again-{desk.number}-{number}") for number in (1, 2)]
        seen = ""
        while f'id="call-{pks[1]}"' not in seen:
            seen += str(socket.recv(timeout=WITHIN))
    assert seen.count(f'id="call-{pks[0]}"') == 1


def test_each_reader_gets_their_own_language(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    with socket_of(desk.server, agent) as chinese, socket_of(desk.server, agent, language="en") as english:
        next_with(chinese, 'id="board"')
        next_with(english, 'id="board"')
        pk = desk.call_pk(desk.call())
        assert "拒接" in next_with(chinese, f'id="call-{pk}"')
        assert "Reject" in next_with(english, f'id="call-{pk}"')


def test_a_call_of_another_team_is_not_sent(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    other = Desk(desk.server, desk.vendor)
    other.staffed(1)
    theirs_before = other.call_pk(other.call())
    with socket_of(desk.server, agent) as socket:
        board = next_with(socket, 'id="board"')
        theirs_after = other.call_pk(other.call())
        ours = desk.call_pk(desk.call())
        message = next_with(socket, f'id="call-{ours}"')
    assert f'id="call-{theirs_before}"' not in board
    assert f'id="call-{theirs_after}"' not in message


def test_an_agent_without_a_team_is_sent_an_empty_board(desk: Desk) -> None:
    desk.staffed(0)
    desk.call()
    username = f"alone{desk.number}"
    desk.server.manage("agent", username, said=PASSWORD)
    with socket_of(desk.server, username) as socket:
        assert "<article" not in next_with(socket, 'id="board"')


@pytest.mark.parametrize("option", ["--supervisor", "--all-accounts"])
def test_who_sees_all_is_sent_calls_of_accounts_never_seen_before(desk: Desk, option: str) -> None:
    username = f"all{desk.number}"
    desk.server.manage("agent", username, option, said=PASSWORD)
    with socket_of(desk.server, username) as socket:
        next_with(socket, 'id="board"')
        pk = desk.call_pk(desk.call())
        next_with(socket, f'id="call-{pk}"')


def test_a_card_changes_by_itself_when_the_ring_window_runs_out(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    desk.server.manage("vendor_app", desk.app, "--ring-seconds", "1")
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        desk.wait_for_ring_seconds(1)
        pk = desk.call_pk(desk.call())
        while 'data-status="missed"' not in (message := next_with(socket, f'id="call-{pk}"')):
            assert 'data-status="ringing"' in message


def test_somebody_who_has_to_choose_a_password_first_is_shown_nothing(desk: Desk) -> None:
    agent = desk.person()
    desk.server.sql("UPDATE calls_person SET must_change_password = true WHERE username = ?", agent)
    with socket_of(desk.server, agent) as socket:
        assert close_code(socket) == 4401


def test_a_socket_without_a_sign_in_is_accepted_and_closed_with_4401(server: Server) -> None:
    with socket_of(server) as socket:
        assert close_code(socket) == 4401


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://127.0.0.1:1", "http://127.0.0.1.evil.example", "http://["]
)
def test_a_foreign_origin_is_refused(desk: Desk, origin: str) -> None:
    agent = desk.person()
    with pytest.raises(InvalidStatus) as refused, socket_of(desk.server, agent, Origin=origin):
        pass
    assert refused.value.response.status_code == 403


def test_a_page_of_ours_is_let_in(desk: Desk) -> None:
    agent = desk.person()
    with socket_of(desk.server, agent, Origin=desk.server.url) as socket:
        next_with(socket, 'id="board"')


def test_another_path_than_the_boards_is_refused(server: Server) -> None:
    with pytest.raises(InvalidStatus), connect(f"ws://127.0.0.1:{server.port}/ws/else/"):
        pass


def test_signing_out_closes_the_socket(desk: Desk) -> None:
    agent = desk.person()
    session = desk.server.sign_in(agent, PASSWORD)
    cookies = "; ".join(f"{name}={value}" for name, value in session.cookies.items())
    with connect(f"ws://127.0.0.1:{desk.server.port}/ws/board/", additional_headers={"Cookie": cookies}) as socket:
        next_with(socket, 'id="board"')
        form = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
        assert session.post(f"{desk.server.url}/logout/", data=form, timeout=5).ok
        assert close_code(socket) == 4401


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE calls_person SET is_active = false WHERE username = ?",
        "UPDATE calls_person SET password = 'another' WHERE username = ?",
    ],
)
def test_who_may_no_longer_sign_in_is_closed_out(desk: Desk, change: str) -> None:
    agent = desk.person()
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        desk.server.sql(change, agent)
        assert close_code(socket) == 4401


def test_leaving_a_team_takes_its_calls_off_the_board(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    pk = desk.call_pk(desk.call())
    with socket_of(desk.server, agent) as socket:
        card(next_with(socket, 'id="board"'), pk)
        desk.leave_team(agent)
        assert "<article" not in next_with(socket, 'id="board"')


def test_an_account_that_goes_to_another_team_by_whatever_way_takes_its_calls_along(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    pk = desk.call_pk(desk.call())
    with socket_of(desk.server, agent) as socket:
        card(next_with(socket, 'id="board"'), pk)
        desk.server.sql("UPDATE calls_account SET team_id = NULL WHERE wxid = ?", desk.wxid)
        while "<article" in next_with(socket, 'id="board"'):
            pass


def test_an_account_moved_in_the_admin_is_with_its_new_team_alone(desk: Desk, sandbox: Sandbox) -> None:
    other = Desk(desk.server, sandbox)
    [here], [there], boss = desk.staffed(1), other.staffed(1), desk.person()
    desk.server.sql("UPDATE calls_person SET role = 'admin' WHERE username = ?", boss)
    admin = desk.server.sign_in(boss, PASSWORD)
    pk = desk.call_pk(desk.call())
    [(account,)] = desk.server.sql("SELECT id FROM calls_account WHERE wxid = ?", desk.wxid)
    teams = [desk.server.sql("SELECT id FROM calls_team WHERE name = ?", one.team)[0][0] for one in (desk, other)]
    with socket_of(desk.server, here) as mine, socket_of(desk.server, there) as theirs:
        card(next_with(mine, 'id="board"'), pk)
        assert "<article" not in next_with(theirs, 'id="board"')
        for _ in range(4):
            teams.reverse()
            mine, theirs = theirs, mine
            form = {"name": "moved", "team": teams[0], "csrfmiddlewaretoken": admin.cookies["csrftoken"]}
            address = f"{desk.server.url}/admin/calls/account/{account}/change/"
            assert admin.post(address, data=form, timeout=10, allow_redirects=False).status_code == 302
            card(next_with(mine, f'id="call-{pk}"'), pk)
            while "<article" in next_with(theirs, 'id="board"'):
                pass


def test_joining_a_team_by_the_command_shows_its_calls(desk: Desk) -> None:
    desk.staffed(0)
    newcomer = f"newcomer{desk.number}"
    desk.server.manage("agent", newcomer, said=PASSWORD)
    pk = desk.call_pk(desk.call())
    with socket_of(desk.server, newcomer) as socket:
        assert "<article" not in next_with(socket, 'id="board"')
        desk.server.manage("agent", newcomer, "--team", desk.team)
        card(next_with(socket, 'id="board"'), pk)


def test_what_a_page_sends_changes_nothing(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        socket.send("<script>" * 1000)
        socket.send(b"\xff\x00")
        pk = desk.call_pk(desk.call())
        next_with(socket, f'id="call-{pk}"')


def test_a_burst_reaches_an_open_page_whole(desk: Desk) -> None:
    [agent] = desk.staffed(1)
    with socket_of(desk.server, agent) as socket:
        next_with(socket, 'id="board"')
        wanted = {f"burst-{desk.number}-{number}" for number in range(300)}
        for voipid in sorted(wanted):
            desk.server.push(desk.secret, [call_notice(desk.wxid, "788", voipid)])
        pks = {desk.call_pk(voipid) for voipid in wanted}
        while pks:
            shown = re.findall(r'<article id="call-(\d+)"', str(socket.recv(timeout=WITHIN)))
            pks -= {int(pk) for pk in shown}


def test_signs_of_life_carry_the_servers_time(desk: Desk) -> None:
    agent = desk.person()
    with socket_of(desk.server, agent) as socket:
        socket.recv(timeout=WITHIN)
        beat = socket.recv(timeout=8)
    assert re.search(r'^<i id="beat" data-seq="\d+" data-now="\d{13}"></i>', str(beat))
