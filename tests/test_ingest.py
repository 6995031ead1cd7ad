"""Callbacks in, on the real server: what is answered to what, and what is kept."""

from __future__ import annotations

import json
import os
import re
import socket
import threading
from itertools import count
from pathlib import Path

import pytest
import requests

from calls.vendor import envelope
from calls.vendor.envelope import Form
from calls.vendor.sandbox import Sandbox, call_notice, chat_notice
from tests.desk import Desk
from tests.factory import AES_KEY

from .server import Server, running_server

KEY = envelope.key_bytes(AES_KEY)
LIMIT = 1024 * 1024  # bytes

_voipids = count(700_000_000)

GOOD = {"errcode": 0}


def post(desk: Desk, body: bytes, path: str = "", **headers: str) -> requests.Response:
    return requests.post(f"{desk.server.url}{path or f'/callbacks/{desk.secret}/'}", data=body, headers=headers, timeout=10)


def stored(desk: Desk, voipid: object) -> int:
    """How many calls with this id are in the database."""
    [(number,)] = desk.server.sql("SELECT count(*) FROM calls_call WHERE voipid = ?", str(voipid))
    assert isinstance(number, int)
    return number


def unread(desk: Desk) -> list[str]:
    """The reasons for which something of this desk's was kept unread."""
    rows = desk.server.sql(
        "SELECT reason FROM calls_unreadbody WHERE app_id = (SELECT id FROM calls_vendorapp WHERE name = ?)", desk.app
    )
    return [str(reason) for (reason,) in rows]


def next_call_arrives(desk: Desk) -> bool:
    return stored(desk, desk.call()) == 1


@pytest.mark.parametrize("form", ["base64", "json-string", "json-object", "raw"])
def test_a_call_is_stored_in_whatever_form_its_ciphertext_travels(desk: Desk, form: Form) -> None:
    voipid = next(_voipids)
    answer = desk.server.push(desk.secret, [call_notice(desk.wxid, "788", voipid)], form)
    assert (answer.status_code, answer.json()) == (200, GOOD)
    assert stored(desk, voipid) == 1


def test_the_slash_at_the_end_is_optional(desk: Desk) -> None:
    voipid = next(_voipids)
    body = envelope.seal([call_notice(desk.wxid, "788", voipid)], KEY)
    assert post(desk, body, f"/callbacks/{desk.secret}").json() == GOOD
    assert stored(desk, voipid) == 1


def test_plain_json_is_taken_only_where_the_app_allows_it(desk: Desk) -> None:
    refused, taken = next(_voipids), next(_voipids)
    assert desk.server.push(desk.secret, [call_notice(desk.wxid, "788", refused)], "plain").json() == GOOD
    assert stored(desk, refused) == 0
    assert len(unread(desk)) == 1
    desk.server.sql("UPDATE calls_vendorapp SET allow_plain_json = 1 WHERE name = ?", desk.app)
    other = next(_voipids)
    while not stored(desk, other):  # taken up by the running server within a second
        desk.server.push(desk.secret, [call_notice(desk.wxid, "788", other)], "plain")
    desk.server.push(desk.secret, [call_notice(desk.wxid, "788", taken)], "plain")
    assert stored(desk, taken) == 1


@pytest.mark.parametrize("voipid", ["12345678901234567890", 12345678901234567891, "call-7f3a", "007", 2**53 + 1])
def test_a_call_id_survives_exactly_from_the_callback_to_the_request(desk: Desk, voipid: int | str) -> None:
    [agent] = desk.staffed(1)
    desk.server.push(desk.secret, [call_notice(desk.wxid, "788", voipid)])
    [(pk,)] = desk.server.sql(
        "SELECT c.id FROM calls_call c JOIN calls_account a ON a.id = c.account_id WHERE a.wxid = ? AND voipid = ?",
        desk.wxid, str(voipid),
    )  # fmt: skip
    session = desk.server.sign_in(agent, "correct horse battery staple")
    form = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
    assert session.post(f"{desk.server.url}/calls/{pk}/reject/", data=form, timeout=10).ok
    [sent] = desk.vendor.rejects
    digits = str(voipid)
    assert sent["voipid"] == (int(digits) if digits.isdecimal() and not digits.startswith("0") else digits)


def test_a_call_pushed_fifty_times_at_once_is_stored_once(desk: Desk) -> None:
    voipid = next(_voipids)
    answers: list[int] = []
    push = [call_notice(desk.wxid, "788", voipid)] * 2
    threads = [
        threading.Thread(target=lambda: answers.append(desk.server.push(desk.secret, push).status_code)) for _ in range(50)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [200] * 50
    assert stored(desk, voipid) == 1


def test_an_account_never_seen_before_is_made_without_a_team(desk: Desk) -> None:
    desk.server.push(desk.secret, [call_notice(f"new-{desk.number}", "788", next(_voipids))])
    assert desk.server.sql("SELECT name, team_id FROM calls_account WHERE wxid = ?", f"new-{desk.number}") == [("", None)]


BAD_ITEMS = [
    {"type": "voiceVideoCall", "rel_wxid": "1688", "data": [{"chat_wxid": "788"}]},
    {"type": "voiceVideoCall", "data": None},
    {"type": "voiceVideoCall"},
    {"type": "voiceVideoCall", "data": [{"wxid": "1688", "chat_wxid": "788", "voipid": 1, "type": 9}]},
    {"type": "voiceVideoCall", "data": [{"wxid": {"a": 1}, "chat_wxid": [], "voipid": True, "type": 1}]},
    {"type": "voiceVideoCall", "data": [{"wxid": "1688", "chat_wxid": "788", "voipid": "x" * 65, "type": 1}]},
    {"type": "voiceVideoCall", "data": [{"wxid": "16\x0088", "chat_wxid": "788", "voipid": 1, "type": 1}]},
]


@pytest.mark.parametrize("bad", BAD_ITEMS)
def test_a_bad_item_is_kept_and_costs_no_good_one_beside_it(desk: Desk, bad: dict[str, object]) -> None:
    before, after = next(_voipids), next(_voipids)
    notices = [call_notice(desk.wxid, "788", before), bad, call_notice(desk.wxid, "788", after)]
    assert desk.server.push(desk.secret, notices).json() == GOOD
    assert (stored(desk, before), stored(desk, after)) == (1, 1)
    assert len(unread(desk)) == 1


BAD_BODIES = {
    "empty": b"",
    "text": b"hello",
    "html": b"<html></html>",
    "truncated": envelope.seal([call_notice("1", "2", 3)], KEY)[:-9],
    "truncated raw": envelope.seal([call_notice("1", "2", 3)], KEY, "raw")[:-5],
    "another key": envelope.seal([call_notice("1", "2", 3)], b"k" * 32),
    "no array": envelope.seal("just text", KEY),
    "invalid UTF-8": b"\xff\xfe\x00\x80" * 8,
    "nested 100,000 deep": b"[" * 100_000,
    "objects nested 100,000 deep": b'{"type":' * 100_000,
    "random": os.urandom(4096),
    "nul": b"\0" * 64,
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES.keys())
def test_a_body_that_cannot_be_read_is_answered_and_the_next_good_call_arrives(desk: Desk, body: bytes) -> None:
    answer = post(desk, body)
    assert (answer.status_code, answer.json()) == (200, GOOD)
    assert next_call_arrives(desk)


@pytest.mark.parametrize("name", ["text", "truncated", "another key"])
def test_a_body_that_cannot_be_read_is_kept(desk: Desk, name: str) -> None:
    post(desk, BAD_BODIES[name])
    assert len(unread(desk)) == 1


def test_decrypted_json_that_is_nested_too_deep_is_kept(desk: Desk) -> None:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    plaintext = b"[" * 100_000
    padding = 32 - len(plaintext) % 32
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(KEY[:16])).encryptor()
    body = encryptor.update(plaintext + bytes([padding]) * padding) + encryptor.finalize()
    assert post(desk, body).json() == GOOD
    assert unread(desk) == ["the decrypted body is no JSON array of notices"]
    assert next_call_arrives(desk)


def test_a_body_cut_off_half_way_harms_nothing(desk: Desk) -> None:
    body = envelope.seal([call_notice(desk.wxid, "788", 1)], KEY)
    with socket.create_connection(("127.0.0.1", desk.server.port)) as connection:
        head = f"POST /callbacks/{desk.secret}/ HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n\r\n"
        connection.sendall(head.encode() + body[: len(body) // 2])
    assert next_call_arrives(desk)


def test_an_unknown_secret_is_not_found_whatever_comes_with_it(desk: Desk) -> None:
    assert post(desk, b"x" * (LIMIT + 1), "/callbacks/guess/").status_code == 404
    assert requests.get(f"{desk.server.url}/callbacks/guess/", timeout=10).status_code == 404


def test_an_address_off_the_allowlist_is_refused_before_the_size_is_looked_at(desk: Desk) -> None:
    desk.server.manage("vendor_app", desk.app, "--callback-secret", f"listed-{desk.number}", "--allowlist", "203.0.113.0/24")
    for body in (b"", b"x" * (LIMIT + 1)):
        assert post(desk, body, f"/callbacks/listed-{desk.number}/").status_code == 403


def test_an_address_on_the_allowlist_is_let_in(desk: Desk) -> None:
    secret = f"ours-{desk.number}"
    desk.server.manage("vendor_app", desk.app, "--callback-secret", secret, "--allowlist", "10.0.0.0/8 127.0.0.1")
    assert post(desk, envelope.seal([chat_notice("1")], KEY), f"/callbacks/{secret}/").status_code == 200


def test_a_body_over_the_limit_is_refused_by_its_announced_length(desk: Desk) -> None:
    assert post(desk, b"x" * (LIMIT + 1)).status_code == 413
    assert next_call_arrives(desk)


def test_a_body_over_the_limit_is_refused_without_an_announced_length_too(desk: Desk) -> None:
    def pieces() -> object:
        for _ in range(17):
            yield b"x" * 64 * 1024

    answer = requests.post(f"{desk.server.url}/callbacks/{desk.secret}/", data=pieces(), timeout=10)
    assert answer.status_code == 413
    assert next_call_arrives(desk)


def test_a_body_of_exactly_the_limit_is_read(desk: Desk) -> None:
    assert post(desk, b"x" * LIMIT).status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_another_method_is_refused_and_told_which_is_right(desk: Desk, method: str) -> None:
    desk.call()
    answer = requests.request(method, f"{desk.server.url}/callbacks/{desk.secret}/", timeout=10)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


HOSTILE = ["<script>alert(1)</script>", "\u202e" + "x" * 60_000, "nul\0 and half \ud800 characters", "👩‍👩‍👧" * 100]


@pytest.mark.parametrize("nickname", HOSTILE, ids=range(len(HOSTILE)))
def test_a_hostile_nickname_costs_no_call(desk: Desk, nickname: str) -> None:
    voipid = next(_voipids)
    body = json.dumps([call_notice(desk.wxid, "788", voipid, nickname=nickname)])  # half characters as escapes
    sealed = envelope.seal(json.loads(body), KEY) if "\ud800" not in nickname else _sealed_text(body)
    assert post(desk, sealed).json() == GOOD
    assert stored(desk, voipid) == 1


def _sealed_text(text: str) -> bytes:
    """Sealed as it stands, escapes and all."""
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    padding = 32 - len(text) % 32
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(KEY[:16])).encryptor()
    return encryptor.update(text.encode("ascii") + bytes([padding]) * padding) + encryptor.finalize()


def test_chat_messages_are_counted_and_nowhere_else(tmp_path: Path, sandbox: Sandbox) -> None:
    secret_words = "口令是向日葵八千"
    with running_server(tmp_path) as server:
        desk = Desk(server, sandbox)
        notices = [chat_notice(desk.wxid, secret_words), {"type": "voiceVideoCall", "data": [{}]}, "no notice at all"]
        assert server.push(desk.secret, notices).json() == GOOD
        assert len(unread(desk)) == 1
        counted = requests.get(f"{server.url}/metrics", timeout=10).text
    assert re.search(r'ringdesk_notices_total\{type="chatMsg"\} 1\.0', counted)
    left = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    for words in (secret_words.encode(), json.dumps(secret_words).encode()[1:-1]):
        assert words not in left


def test_neither_the_callback_secret_nor_the_vendors_secrets_are_logged(server: Server, desk: Desk) -> None:
    desk.call()
    post(desk, b"unreadable")
    log = (server.folder / "server.log").read_text()
    assert desk.secret not in log
    assert AES_KEY not in log


def test_while_the_database_is_locked_a_callback_is_refused_in_time_and_the_next_one_arrives(desk: Desk) -> None:
    import sqlite3

    desk.call()
    lock = sqlite3.connect(desk.server.folder / "ringdesk.sqlite3", isolation_level=None)
    lock.execute("BEGIN IMMEDIATE")
    answer = desk.server.push(desk.secret, [call_notice(desk.wxid, "788", next(_voipids))])
    lock.execute("ROLLBACK")
    lock.close()
    assert answer.status_code == 503
    assert answer.elapsed.total_seconds() < 1
    assert next_call_arrives(desk)
