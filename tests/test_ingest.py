"""Callbacks in: what is answered to what, and what is kept.

On the real server; and, where a moment has to be caught or every piece counted, within it.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import socket
import threading
import time
from collections.abc import AsyncIterator, Callable, MutableMapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from typing import Any

import pytest
import requests
from django.db import connection
from pytest_django import Settings

from calls import ingest, senders
from calls.ingest import Ingest
from calls.ledger import _Book
from calls.models import Account, AccountTraffic, AnswerTime, Call, NoticeSample, RawNotice, UnreadBody, VendorApp
from calls.models import Callback as LoggedCallback
from calls.senders import Sender
from calls.vendor import envelope
from calls.vendor.envelope import Form
from calls.vendor.sandbox import Sandbox, call_notice, chat_notice

from .desk import Desk
from .factory import AES_KEY, encrypted, make_app, payload
from .server import Server, running_server
from .waiting import eventually

KEY = envelope.key_bytes(AES_KEY)
LIMIT = 1024 * 1024  # bytes

_voipids = count(700_000_000)

GOOD = {"errcode": 0}


def post(desk: Desk, body: bytes, path: str = "", **headers: str) -> requests.Response:
    return requests.post(f"{desk.server.url}{path or f'/callbacks/{desk.secret}/'}", data=body, headers=headers, timeout=10)


def stored(desk: Desk, voipid: object) -> int:
    """How many calls with this id are in the database, where those come late that were answered from the spool."""
    eventually(lambda: desk.server.metric("ringdesk_spooled_callbacks") == 0)
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
    desk.server.sql("UPDATE calls_vendorapp SET allow_plain_json = true WHERE name = ?", desk.app)
    other = next(_voipids)
    give_up_at = time.monotonic() + 2
    while not stored(desk, other) and time.monotonic() < give_up_at:  # taken up by the running server within a second
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
    body = encrypted(b"[" * 100_000, KEY)
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


def test_behind_a_proxy_on_this_machine_the_address_that_the_proxy_saw_counts(desk: Desk) -> None:
    secret = f"proxied-{desk.number}"
    desk.server.manage("vendor_app", desk.app, "--callback-secret", secret, "--allowlist", "203.0.113.0/24")
    body = envelope.seal([chat_notice("1")], KEY)
    told = {
        "203.0.113.7": 200,
        "198.51.100.1": 403,
        "203.0.113.7, 198.51.100.1": 403,  # what a stranger says of himself stands before it
    }
    for addresses, status in told.items():
        assert post(desk, body, f"/callbacks/{secret}/", **{"X-Forwarded-For": addresses}).status_code == status


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
    assert post(desk, encrypted(body.encode("ascii"), KEY)).json() == GOOD
    assert stored(desk, voipid) == 1


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


def test_while_the_database_is_locked_a_callback_is_answered_in_time_and_stored_afterwards(desk: Desk) -> None:
    assert next_call_arrives(desk)
    voipid, later = next(_voipids), next(_voipids)
    with desk.server.database.locked():
        answer = desk.server.push(desk.secret, [call_notice(desk.wxid, "788", voipid)])
        assert answer.json() == GOOD
        assert answer.elapsed.total_seconds() < 1
    assert desk.server.push(desk.secret, [call_notice(desk.wxid, "788", later)]).json() == GOOD
    eventually(lambda: stored(desk, voipid) == stored(desk, later) == 1)
    [(notice,)] = desk.server.sql(
        "SELECT body FROM calls_rawnotice n JOIN calls_call c ON c.id = n.call_id WHERE voipid = ?", str(voipid)
    )
    assert json.loads(str(notice)) == call_notice(desk.wxid, "788", voipid)


# Within the server: the ASGI app itself, with each message of a request as the server would hand it over.


@dataclass
class Callback:
    """One request, as the server hands it to ingest."""

    secret: str
    body: Sequence[bytes] = (b"",)  # in pieces
    method: str = "POST"
    client: str = "127.0.0.1"
    announced: int | None = None  # content-length
    cut_off: bool = False  # the vendor hangs up before the end
    pieces_read: int = 0

    async def receive(self) -> MutableMapping[str, Any]:
        piece = self.body[self.pieces_read] if self.pieces_read < len(self.body) else b""
        self.pieces_read += 1
        more = self.cut_off or self.pieces_read < len(self.body)
        if self.cut_off and self.pieces_read > len(self.body):
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": piece, "more_body": more}

    async def status_from(self, taker: Ingest) -> int:
        sent: list[Any] = []

        async def send(message: Any) -> None:
            sent.append(message)

        headers = [] if self.announced is None else [(b"content-length", b"%d" % self.announced)]
        scope = {"path": f"/callbacks/{self.secret}/", "method": self.method, "client": (self.client, 5), "headers": headers}
        await taker(scope, self.receive, send)
        assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]
        return int(sent[0]["status"])


def pushed(app: VendorApp, *notices: object) -> Callback:
    return Callback(app.callback_secret, [envelope.seal(notices, KEY)])


@asynccontextmanager
async def started() -> AsyncIterator[Ingest]:
    """Ingest at work; all that it took in is stored when this ends."""
    taker = Ingest()
    await taker.start()
    try:
        yield taker
    finally:
        await taker.stop()


def take(*callbacks: Callback) -> list[int]:
    """Let ingest take these in, one after the other; the statuses it answers with. All is stored when this returns."""

    async def run() -> list[int]:
        async with started() as taker:
            return [await callback.status_from(taker) for callback in callbacks]

    return asyncio.run(run())


def in_the_table_of_unread_bodies() -> str:
    """Every value in it, as stored."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM calls_unreadbody")
        return repr([bytes(value) if isinstance(value, memoryview) else value for row in cursor for value in row])


def within(test: Callable[..., None]) -> Callable[..., None]:
    for mark in (pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_data_folder")):
        test = mark(test)
    return test


@within
@pytest.mark.parametrize(
    ("secret", "client", "method", "status"),
    [
        ("guess", "192.0.2.1", "GET", 404),
        ("known", "192.0.2.1", "GET", 403),
        ("known", "127.0.0.1", "GET", 405),
        ("known", "127.0.0.1", "POST", 413),
    ],
)
def test_refusals_come_in_the_documented_order_and_before_the_body_is_read(
    secret: str, client: str, method: str, status: int
) -> None:
    make_app(callback_secret="known", allowlist="127.0.0.1")
    callback = Callback(secret, [b"x"] * 9, method, client, announced=LIMIT + 1)
    assert take(callback) == [status]
    assert callback.pieces_read == 0


@within
def test_of_a_body_without_an_announced_length_no_more_is_read_than_the_limit() -> None:
    callback = Callback(make_app().callback_secret, [b"x" * LIMIT, b"x", b"more", b"and more"])
    assert take(callback) == [413]
    assert callback.pieces_read == 2


@within
def test_a_body_in_pieces_is_put_together() -> None:
    app = make_app()
    whole = envelope.seal([call_notice("1688", "788", 5)], KEY)
    assert take(Callback(app.callback_secret, [whole[:7], b"", whole[7:]])) == [200]
    assert Call.objects.get().voipid == "5"


@within
def test_an_empty_secret_is_nobodys() -> None:
    make_app()
    assert take(Callback("")) == [404]


@within
@pytest.mark.parametrize("client", ["", "unix", "::1", "::ffff:10.0.0.1"])
def test_a_sender_whose_address_does_not_match_is_not_admitted(client: str) -> None:
    app = make_app(allowlist="127.0.0.1")
    assert take(Callback(app.callback_secret, client=client)) == [403]


@within
@pytest.mark.parametrize("client", ["203.0.113.7", "::ffff:203.0.113.7", "2001:db8::5"])
def test_a_sender_in_an_admitted_network_is_admitted(client: str) -> None:
    app = make_app(allowlist="203.0.113.0/24\n2001:db8::/32")
    assert take(Callback(app.callback_secret, client=client)) == [200]


@within
def test_an_app_with_a_key_that_is_none_costs_no_other_app() -> None:
    broken, whole = make_app(aes_key="no key"), make_app()
    assert take(pushed(broken), pushed(whole, call_notice("1688", "788", 5))) == [404, 200]
    assert Call.objects.count() == 1


@within
def test_guesses_at_one_moment_share_one_look_into_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []
    look = ingest._all_senders

    def noted() -> list[Sender]:
        looks.append(time.monotonic())
        return look()

    monkeypatch.setattr(ingest, "_all_senders", noted)

    async def run() -> list[int]:
        async with started() as taker:
            return await asyncio.gather(*(Callback(f"guess {number}").status_from(taker) for number in range(200)))

    assert asyncio.run(run()) == [404] * 200
    assert len(looks) <= 3  # at the start, for the guesses, and perhaps the regular one


@within
@pytest.mark.parametrize("name", ["callback_mixed", "call_lean"])
def test_a_sample_callback_brings_its_call(name: str) -> None:
    take(pushed(make_app(), *payload(name)))
    call = Call.objects.get()
    assert (call.account.wxid, call.contact.wxid, call.voipid) == ("1688851873049028", "7881302848173300", "161288067")


@within
def test_values_under_other_names_are_read_and_an_end_ends_its_call() -> None:
    app = make_app(
        account_path="rel_wxid", contact_path="members.0.wxid", voipid_path="call.id", kind_path="call.media",
        nickname_path="members.0.name", end_path="call.state", end_values="cancel hangup",
    )  # fmt: skip
    take(pushed(app, *payload("call_mapped")))
    call = Call.objects.get()
    assert (call.status, call.contact.nickname) == ("ringing", "王秀英")
    take(pushed(app, *payload("end_mapped")))
    assert Call.objects.get().status == "ended"


@within
def test_an_end_before_its_call_does_no_harm() -> None:
    app = make_app(account_path="rel_wxid", contact_path="members.0.wxid", voipid_path="call.id", kind_path="call.media")
    VendorApp.objects.update(end_path="call.state", end_values="cancel")
    assert take(pushed(app, *payload("end_mapped")), pushed(app, *payload("call_mapped"))) == [200, 200]
    assert Call.objects.get().status == "ringing"


@within
def test_a_nickname_is_brought_up_to_date_by_the_next_call() -> None:
    app = make_app()
    take(*(pushed(app, call_notice("1688", "788", number, nickname=name)) for number, name in enumerate(["陈经理", "陈总"])))
    assert {str(call.contact) for call in Call.objects.all()} == {"陈总"}


@within
def test_a_call_pushed_five_times_in_one_body_and_in_several_is_stored_once() -> None:
    app = make_app()
    assert take(*[pushed(app, *[call_notice("1688", "788", 5)] * 5)] * 5) == [200] * 5
    assert Call.objects.count() == 1


@within
def test_a_call_among_thousands_of_chat_messages_is_stored() -> None:
    chats = [chat_notice("1688", f"message {number}") for number in range(5000)]
    callback = pushed(make_app(), *chats, call_notice("1688", "788", 5), *chats[:100])
    assert senders.LARGE_BODY < len(callback.body[0]) < LIMIT
    assert take(callback) == [200]
    assert Call.objects.count() == 1


@within
def test_chat_messages_alone_touch_no_table() -> None:
    take(pushed(make_app(), *[chat_notice("1688")] * 50))
    assert not Call.objects.exists()
    assert not Account.objects.exists()
    assert not UnreadBody.objects.exists()


@within
def test_bad_items_are_kept_encrypted_and_without_the_chat_messages_beside_them() -> None:
    bad = {"type": "voiceVideoCall", "rel_wxid": "1688", "data": [{"chat_wxid": "788", "hint": "sunflower"}]}
    assert take(pushed(make_app(), chat_notice("1688", "password: geranium"), bad)) == [200]
    kept = UnreadBody.objects.get()
    assert json.loads(kept.content) == [bad]
    assert kept.reason == "no call id"
    assert "no call id" in in_the_table_of_unread_bodies()
    assert "sunflower" not in in_the_table_of_unread_bodies()


@within
def test_a_call_keeps_its_own_notice_and_neither_the_others_nor_chat_messages() -> None:
    mine, others = call_notice("1688", "788", 5), call_notice("1688", "799", 6)
    take(pushed(make_app(), chat_notice("1688", "password: geranium"), mine | {"data": mine["data"] + others["data"]}))
    assert {notice.call.voipid: json.loads(notice.body) for notice in RawNotice.objects.all()} == {"5": mine, "6": others}


@within
def test_no_notice_is_kept_where_none_are_to_be(settings: Settings) -> None:
    settings.NOTICE_DAYS = 0
    take(pushed(make_app(), call_notice("1688", "788", 5)))
    assert Call.objects.count() == 1
    assert not RawNotice.objects.exists()


@within
def test_a_body_that_is_plain_where_that_is_not_allowed_is_kept_encrypted() -> None:
    body = json.dumps([chat_notice("1688", "password: geranium")]).encode()
    assert take(Callback(make_app().callback_secret, [body])) == [200]
    assert UnreadBody.objects.get().content == body
    assert "geranium" not in in_the_table_of_unread_bodies()


@within
def test_neither_chat_messages_nor_bodies_nor_nicknames_are_logged(caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()
    bad = {"type": "voiceVideoCall", "data": [{"hint": "geranium"}]}
    plain = json.dumps([chat_notice("1688", "geranium")]).encode()
    with caplog.at_level("DEBUG"):
        take(
            pushed(app, chat_notice("1688", "geranium"), bad, call_notice("1688", "788", 5, nickname="geranium")),
            Callback(app.callback_secret, [plain]),
            Callback(app.callback_secret, [encrypted(plain[:-1], KEY)]),
        )
    assert "could not be read and is kept" in caplog.text
    assert "made no sense and are kept" in caplog.text
    assert "geranium" not in caplog.text


@within
def test_a_body_cut_off_half_way_is_kept() -> None:
    whole = envelope.seal([call_notice("1688", "788", 5)], KEY)
    take(Callback(make_app().callback_secret, [whole[:40]], cut_off=True))
    assert UnreadBody.objects.get().content == whole[:40]


@within
def test_a_callback_to_an_app_that_was_just_deleted_is_refused_and_costs_no_other() -> None:
    gone, other = make_app(), make_app()

    async def run() -> list[int]:
        async with started() as taker:
            await VendorApp.objects.filter(pk=gone.pk).adelete()
            callbacks = [pushed(app, call_notice("1688", "788", 5)) for app in (gone, other)]
            return await asyncio.gather(*(callback.status_from(taker) for callback in callbacks))

    assert asyncio.run(run()) == [503, 200]
    assert Call.objects.get().account.app == other


def in_the_log() -> list[tuple[object, ...]]:
    return sorted(LoggedCallback.objects.values_list("result", "callbacks", "calls", "duplicates", "chats", "others"))


@within
def test_what_became_of_each_callback_is_in_the_log() -> None:
    app = make_app()
    call = call_notice("1688", "788", 5)
    bad = {"type": "voiceVideoCall", "data": [{}]}
    take(
        pushed(app, call, chat_notice("1688"), {"type": "contacts"}),
        pushed(app, call),
        pushed(app, bad),
        Callback(app.callback_secret, [b"no callback at all"]),
        *(pushed(app, chat_notice("1688"), chat_notice("1688")) for _ in range(3)),
    )
    assert in_the_log() == [
        ("read", 1, 0, 1, 0, 0),
        ("read", 1, 1, 0, 1, 1),
        ("read", 3, 0, 0, 6, 0),
        ("unreadable", 1, 0, 0, 0, 0),
        ("unreadable", 1, 0, 0, 0, 0),
    ]
    for row in LoggedCallback.objects.filter(result="unreadable"):
        assert row.body
        assert row.reason == row.body.reason
    assert {row.address for row in LoggedCallback.objects.all()} == {"127.0.0.1"}
    assert all(row.app == app and row.milliseconds is not None for row in LoggedCallback.objects.all())


@within
def test_refused_callbacks_are_in_the_log_with_the_reason() -> None:
    app = make_app(allowlist="127.0.0.1")
    gone = make_app()

    async def run() -> list[int]:
        async with started() as taker:
            await VendorApp.objects.filter(pk=gone.pk).adelete()
            callbacks = [
                Callback("guess"),
                Callback(app.callback_secret, client="192.0.2.1"),
                Callback(app.callback_secret, method="GET"),
                Callback(app.callback_secret, announced=LIMIT + 1),
            ]
            return [await callback.status_from(taker) for callback in callbacks]

    assert asyncio.run(run()) == [404, 403, 405, 413]
    assert dict(LoggedCallback.objects.values_list("result", "app_id")) == {
        "unknown": None, "not_admitted": app.pk, "wrong_method": app.pk, "too_large": app.pk,
    }  # fmt: skip


@within
def test_how_long_answers_took_and_what_concerned_accounts_is_counted() -> None:
    app = make_app()
    call = call_notice("1688", "788", 5)
    take(pushed(app, call))  # from here on the account is known
    take(*(pushed(app, *map(chat_notice, ["1688", "1688", "1699"])) for _ in range(4)), Callback("guess"))
    assert sum(row.callbacks for row in AnswerTime.objects.filter(app=app)) == 5
    assert [(row.account.wxid, row.notices) for row in AccountTraffic.objects.all()] == [("1688", 9)]
    assert NoticeSample.objects.get().app == app


@within
def test_a_ledger_that_fails_costs_no_callback(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    def fail(self: object, page: object) -> None:
        raise RuntimeError("a mistake")

    monkeypatch.setattr(_Book, "write", fail)
    app = make_app()
    assert take(*(pushed(app, call_notice("1688", "788", number)) for number in range(5))) == [200] * 5
    assert Call.objects.count() == 5
    assert not LoggedCallback.objects.exists()
    assert "could not be written and is left out" in caplog.text


DEEP = [
    '{"type": %s}',
    '{"type": "voiceVideoCall", "data": %s}',
    '{"type": "voiceVideoCall", "data": {"wxid": 1, "voipid": 2, "state": %s}}',
]


@pytest.mark.parametrize("notice", DEEP)
def test_json_of_any_depth_is_read_or_kept(notice: str) -> None:
    app = VendorApp(pk=1, name="deep", end_path="state", end_values="end")
    app.aes_key = AES_KEY
    sender = Sender.of(app)
    for depth in range(1, 1100):
        body = encrypted(f"[{notice % ('[' * depth + ']' * depth)}]".encode(), KEY)
        opened = sender.open(body, datetime.now(UTC))
        assert opened.types or opened.batch.unread == body
