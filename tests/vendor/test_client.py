"""Asking the vendor: what is sent, and what is made of every answer, and of none. All of it over real HTTP, on loopback."""

from __future__ import annotations

import datetime
import ipaddress
import json
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from calls.vendor import client
from calls.vendor import sandbox as sandbox_module
from calls.vendor.client import Answer, Credentials, NoAnswer, NotSent
from calls.vendor.errors import EXPLANATIONS
from calls.vendor.sandbox import Fault, Sandbox

from ..factory import PAYLOADS
from ..server import free_port

pytestmark = pytest.mark.engineless

REJECT = "/wechat/handleVoipCall"
ANY_TOKEN = "a token"


def credentials(url: str) -> Credentials:
    return Credentials(url, "sandbox-app", "sandbox-secret", "")


def reject(url: str, token: str = ANY_TOKEN, voipid: str = "161288067", within: float = 5.0) -> Answer:
    return client.reject_call(
        credentials(url), token, wxid="1688851873049028", chat_wxid="7881302848173300", voipid=voipid, kind=2, within=within
    )


def fetch(url: str) -> Answer:
    return client.fetch_token(credentials(url), 5.0)


def valid_token(vendor: Sandbox) -> str:
    return client.token_in(fetch(vendor.url))[0]


@dataclass
class Asked:
    """A request as it reached the vendor."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


@contextmanager
def vendor_that(respond: Callable[[BaseHTTPRequestHandler], None]) -> Iterator[tuple[str, list[Asked]]]:
    """A vendor that answers as told; its address, and the requests that reached it."""
    asked: list[Asked] = []

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            asked.append(Asked(self.command, self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            respond(self)

        do_GET = do_POST = answer  # noqa: N815

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to log."""

    class HTTPServer(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: Any, client_address: Any) -> None:
            """A client that hung up."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def vendor_saying(body: bytes, status: int = 200, **headers: str) -> Iterator[tuple[str, list[Asked]]]:
    """A vendor that gives everyone this answer."""

    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        request.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    with vendor_that(respond) as vendor:
        yield vendor


def answer_to_reject(body: bytes, status: int = 200, **headers: str) -> Answer:
    with vendor_saying(body, status, **headers) as (url, _):
        return reject(url)


# What is sent


def test_a_reject_asks_as_the_document_says(sandbox: Sandbox) -> None:
    token = valid_token(sandbox)
    reject(sandbox.url, token)
    assert sandbox.rejects == [
        {
            "app_id": "sandbox-app",
            "access_token": token,
            "wxid": "1688851873049028",
            "chat_wxid": "7881302848173300",
            "voipid": 161288067,
            "type": 2,
            "action": "rejectVoiceCall",
        }
    ]


def test_a_token_is_asked_for_with_the_vendor_s_own_spelling() -> None:
    with vendor_saying((PAYLOADS / "token_under_data.json").read_bytes()) as (url, asked):
        fetch(url)
    assert [(request.method, request.path) for request in asked] == [("POST", "/oauth/token")]
    assert json.loads(asked[0].body) == {
        "app_id": "sandbox-app",
        "app_secret": "sandbox-secret",
        "grand_type": "client_credentials",
    }


def test_a_reject_is_posted_as_json_in_utf_8() -> None:
    with vendor_saying(b'{"errcode": 0}') as (url, asked):
        reject(url)
    assert (asked[0].method, asked[0].path) == ("POST", REJECT)
    assert asked[0].headers["content-type"] == "application/json; charset=UTF-8"


def test_a_base_url_can_have_a_prefix_and_a_trailing_slash() -> None:
    with vendor_saying(b'{"errcode": 0}') as (url, asked):
        reject(f"{url}/oapi/")
    assert asked[0].path == "/oapi/wechat/handleVoipCall"


def test_accounts_are_listed_by_get_with_the_credentials_in_the_query() -> None:
    with vendor_saying(b'{"errcode": 0, "data": []}') as (url, asked):
        client.list_accounts(credentials(url), "a token", 5.0)
    assert (asked[0].method, asked[0].path) == (
        "GET",
        "/wechat/list?app_id=sandbox-app&access_token=a+token&online=-1&page=1&page_size=1",
    )


def test_a_contact_is_asked_about_by_get_with_the_account_that_it_called() -> None:
    with vendor_saying(b'{"errcode": 0, "data": {}}') as (url, asked):
        client.contact_detail(credentials(url), "a token", wxid="1688", contact="7881&x", within=5.0)
    assert (asked[0].method, asked[0].path) == (
        "GET",
        "/wechat/contactDetail?app_id=sandbox-app&access_token=a+token&rel_wxid=1688&wxid=7881%26x",
    )


PICTURE = "https://wx.example.com/chen.png"


@pytest.mark.parametrize(
    ("content", "nickname", "avatar"),
    [
        ({"data": {"nickname": "陈", "avatar": PICTURE}}, "陈", PICTURE),
        ({"nickname": "陈", "avatar": PICTURE}, "陈", PICTURE),
        ({"data": [{"nickname": "陈", "avatar": PICTURE}]}, "陈", PICTURE),
        ({"data": {"nickname": " 陈 "}, "avatar": PICTURE}, "陈", PICTURE),
        ({"data": {"nickname": "x" * 300}}, "x" * 200, ""),
        ({"data": {"nickname": "a\0\ud83d"}}, "a\ufffd?", ""),
        ({"data": {"avatar": "javascript:alert(1)"}}, "", ""),
        ({"data": {"avatar": "file:///etc/passwd"}}, "", ""),
        ({"data": {"avatar": PICTURE + "x" * 500}}, "", ""),
        ({"data": {"nickname": 5, "avatar": ["a"]}}, "", ""),
        ({"data": None}, "", ""),
        ({"data": []}, "", ""),
        ({"data": ["a"]}, "", ""),
        ({"data": "a"}, "", ""),
        ({}, "", ""),
    ],
)
def test_a_name_and_a_picture_are_read_wherever_they_stand(content: dict[str, Any], nickname: str, avatar: str) -> None:
    answer = client.Answer("0", "", "", 1, content)
    assert client.detail_in(answer) == client.Detail(nickname, avatar)


@pytest.mark.parametrize(
    ("voipid", "sent"),
    [
        ("161288067", b"161288067"),
        ("0", b"0"),
        ("18446744073709551617", b"18446744073709551617"),
        ("00161288067", b'"00161288067"'),
        ("call-7f3a", b'"call-7f3a"'),
        ("-5", b'"-5"'),
        ("1.0", b'"1.0"'),
        ("１６", rb'"\uff11\uff16"'),
        ("²", rb'"\u00b2"'),
    ],
)
def test_a_call_id_goes_as_a_number_only_where_that_is_the_same_digits(voipid: str, sent: bytes) -> None:
    with vendor_saying(b'{"errcode": 0}') as (url, asked):
        reject(url, voipid=voipid)
    assert b'"voipid": ' + sent + b"," in asked[0].body


# Tokens


@pytest.mark.parametrize("name", ["token_under_data", "token_at_the_top"])
def test_a_token_is_read_wherever_the_vendor_puts_it(name: str) -> None:
    with vendor_saying((PAYLOADS / f"{name}.json").read_bytes()) as (url, _):
        assert client.token_in(fetch(url)) == ("4f2c9a", 3600)


@pytest.mark.parametrize(
    "lasts",
    [
        b"",
        b', "expires_in": null',
        b', "expires_in": "soon"',
        b', "expires_in": -1',
        b', "expires_in": 1763900000000',
        b', "expires_in": "%s"' % (b"9" * 5000),
    ],
)
def test_a_token_without_a_usable_lifetime_lasts_two_hours(lasts: bytes) -> None:
    with vendor_saying(b'{"access_token": "4f2c9a"%s}' % lasts) as (url, _):
        assert client.token_in(fetch(url)) == ("4f2c9a", 7200)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"data": null}',
        b'{"data": []}',
        b'{"access_token": ""}',
        b'{"access_token": 7}',
        b'{"data": {"access_token": null}}',
        rb'{"access_token": "a\ud800"}',
        b'{"access_token": "%s"}' % (b"x" * 1001),
    ],
)
def test_an_answer_without_a_token_that_can_be_used_says_so_and_keeps_what_came(body: bytes) -> None:
    with vendor_saying(body) as (url, _):
        answer = fetch(url)
    with pytest.raises(NoAnswer, match="no access_token") as caught:
        client.token_in(answer)
    assert caught.value.raw == body.decode()


def test_a_refused_token_is_an_answer_with_the_vendor_s_code(sandbox: Sandbox) -> None:
    answer = client.fetch_token(Credentials(sandbox.url, "sandbox-app", "wrong", ""), 5.0)
    assert (answer.accepted, answer.errcode) == (False, "102")


# What the vendor says


def test_errcode_0_is_acceptance(sandbox: Sandbox) -> None:
    answer = reject(sandbox.url, valid_token(sandbox))
    assert (answer.accepted, answer.errcode, answer.raw) == (True, "0", '{"errcode": 0}')


def test_errcode_0_can_be_text() -> None:
    assert answer_to_reject(b'{"errcode": "0"}').accepted


def test_an_answer_can_begin_with_a_byte_order_mark() -> None:
    assert answer_to_reject(b'\xef\xbb\xbf{"errcode": 0}').accepted


@pytest.mark.parametrize("errcode", EXPLANATIONS)
def test_every_documented_code_is_a_refusal_that_keeps_code_and_message(errcode: str) -> None:
    answer = answer_to_reject(json.dumps({"errcode": int(errcode), "message": "为什么"}).encode())
    assert (answer.accepted, answer.errcode, answer.message) == (False, errcode, "为什么")


@pytest.mark.parametrize("errcode", EXPLANATIONS)
def test_every_documented_code_can_be_text(errcode: str) -> None:
    answer = answer_to_reject(json.dumps({"errcode": f" {errcode} "}).encode())
    assert (answer.accepted, answer.errcode, answer.message) == (False, errcode, "")


def test_the_message_can_be_named_errmsg() -> None:
    assert answer_to_reject(b'{"errcode": 407, "errmsg": "too many"}').message == "too many"


def test_an_empty_message_gives_way_to_errmsg() -> None:
    assert answer_to_reject(b'{"errcode": 407, "message": "", "errmsg": "too many"}').message == "too many"


def test_a_message_of_any_length_and_type_is_kept_as_text_that_fits() -> None:
    assert answer_to_reject(json.dumps({"errcode": 1, "message": ["x" * 9000]}).encode()).message == ("['" + "x" * 498)


def test_a_code_of_any_length_is_cut_to_what_fits() -> None:
    assert answer_to_reject(b'{"errcode": "%s"}' % (b"9" * 99)).errcode == "9" * 20


def test_nul_in_an_answer_is_replaced_since_no_database_takes_it() -> None:
    assert answer_to_reject(b'{"errcode": 0, "x": "a\0b"}').raw == '{"errcode": 0, "x": "a\N{REPLACEMENT CHARACTER}b"}'


@pytest.mark.parametrize("escape", [r"\u0000", r"\ud83d"])
def test_escapes_in_a_message_that_no_database_takes_are_replaced(escape: str) -> None:
    answer = answer_to_reject(b'{"errcode": "1%s", "message": "a%sb"}' % (escape.encode(), escape.encode()))
    for text in (answer.errcode, answer.message):
        assert "\0" not in text
        text.encode()  # fails for half of a surrogate pair


def test_an_answer_with_an_error_s_status_still_counts_by_its_code() -> None:
    assert answer_to_reject(b'{"errcode": 407, "message": "limit"}', 429).errcode == "407"


@pytest.mark.parametrize(
    ("fault", "errcode"),
    [
        ("refused", "1001"),
        ("limit", "407"),
        ("not-allowed", "113"),
        ("token-expired", "111"),
        ("token-expired-always", "111"),
    ],
)
def test_a_refusal_of_the_sandbox_is_understood(sandbox: Sandbox, fault: Fault, errcode: str) -> None:
    token = valid_token(sandbox)
    sandbox.misbehave(REJECT, fault)
    assert reject(sandbox.url, token).errcode == errcode


def test_a_slow_answer_is_waited_for_and_timed(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sandbox_module.DELAYS, "slow", 0.3)
    token = valid_token(sandbox)
    sandbox.misbehave(REJECT, "slow")
    answer = reject(sandbox.url, token)
    assert answer.accepted
    assert 300 <= answer.milliseconds < 3000


# What can't be understood


def why_no_answer(ask: Callable[[], object]) -> NoAnswer:
    with pytest.raises(NoAnswer) as caught:
        ask()
    return caught.value


def test_the_vendor_s_own_broken_example_is_no_answer_and_kept(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "broken")
    error = why_no_answer(lambda: reject(sandbox.url))
    assert (str(error), error.raw) == ("HTTP 200: the answer is no JSON object", '{errcode":0}')


def test_a_502_with_html_is_no_answer_and_kept(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "server-error")
    error = why_no_answer(lambda: reject(sandbox.url))
    assert (str(error), error.raw) == ("HTTP 502: the answer is no JSON object", "<html><h1>502 Bad Gateway</h1></html>")


def test_a_lost_connection_is_no_answer(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "lost")
    error = why_no_answer(lambda: reject(sandbox.url))
    assert error.raw == ""
    assert len(sandbox.rejects) == 1  # so it may have been carried out


@pytest.mark.parametrize("body", [b"[]", b'"ok"', b"0", b"null"])
def test_json_that_is_no_object_is_no_answer(body: bytes) -> None:
    error = why_no_answer(lambda: answer_to_reject(body))
    assert (str(error), error.raw) == ("HTTP 200: the answer is no JSON object", body.decode())


@pytest.mark.parametrize("body", [b"", b"\xff\xfe", b"[" * 60_000, b'{"errcode": ' + b"9" * 5000 + b"}"])
def test_bytes_that_are_no_json_are_no_answer(body: bytes) -> None:
    assert str(why_no_answer(lambda: answer_to_reject(body))) == "HTTP 200: the answer is no JSON object"


@pytest.mark.parametrize(
    "body", [b"{}", b'{"errcode": null}', b'{"errcode": 0.0}', b'{"errcode": []}', b'{"errcode": false}']
)
def test_a_reject_s_answer_without_a_code_is_no_answer_and_kept(body: bytes) -> None:
    error = why_no_answer(lambda: answer_to_reject(body))
    assert (str(error), error.raw) == ("the answer holds no errcode", body.decode())


def test_a_redirect_is_not_followed_since_it_would_arrive_as_a_get() -> None:
    with vendor_saying(b"", 302, Location="/elsewhere") as (url, asked):
        assert str(why_no_answer(lambda: reject(url))) == "HTTP 302: the answer is no JSON object"
    assert [request.method for request in asked] == ["POST"]


def test_of_an_answer_of_10_mb_only_the_beginning_is_read() -> None:
    error = why_no_answer(lambda: answer_to_reject(b'{"errcode": 0, "x": "' + b"x" * 10_000_000 + b'"}'))
    assert len(error.raw) == client.LONGEST_ANSWER


def test_an_answer_cut_off_half_way_is_no_answer() -> None:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "500")
        request.end_headers()
        request.wfile.write(b'{"errcode": 0}')

    with vendor_that(respond) as (url, _):
        assert "IncompleteRead" in str(why_no_answer(lambda: reject(url)))


def test_something_that_speaks_no_http_is_no_answer() -> None:
    def respond(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")

    with vendor_that(respond) as (url, _):
        assert why_no_answer(lambda: reject(url)).raw == ""


# Time


def test_a_vendor_that_hangs_is_given_up_in_time(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "hang")
    started = time.monotonic()
    error = why_no_answer(lambda: reject(sandbox.url, within=0.3))
    assert str(error) == "no answer in time"
    assert 0.3 <= time.monotonic() - started < 3


def test_nobody_waits_longer_than_the_limit_whatever_is_asked(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "ANSWER_WITHIN", 0.3)
    sandbox.misbehave(REJECT, "hang")
    started = time.monotonic()
    why_no_answer(lambda: reject(sandbox.url, within=60))
    assert time.monotonic() - started < 3


def test_a_token_is_not_waited_for_as_long_as_an_answer(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "TOKEN_WITHIN", 0.3)
    sandbox.misbehave("/oauth/token", "hang")
    started = time.monotonic()
    why_no_answer(lambda: fetch(sandbox.url))
    assert time.monotonic() - started < 3


def dribble(end: threading.Event) -> Callable[[BaseHTTPRequestHandler], None]:
    """Answer with a byte now and then, without an end: each byte gives the HTTP library's own timeout a new start."""

    def respond(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        try:
            while not end.wait(0.05):
                request.wfile.write(b" ")
        except OSError:
            end.set()  # the client has hung up

    return respond


def test_an_answer_that_dribbles_without_end_is_given_up_by_the_clock() -> None:
    end = threading.Event()
    with vendor_that(dribble(end)) as (url, _):
        started = time.monotonic()
        error = why_no_answer(lambda: reject(url, within=0.4))
        took = time.monotonic() - started
        end.set()
    assert str(error) == "no answer in time"
    assert 0.3 <= took < 3


def test_an_answer_that_dribbles_without_end_is_hung_up_on() -> None:
    end = threading.Event()
    with vendor_that(dribble(end)) as (url, _):
        why_no_answer(lambda: reject(url, within=0.3))
        hung_up = end.wait(5)
        end.set()
    assert hung_up


def test_a_request_that_finds_no_thread_in_time_was_not_sent(sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    others_are_done = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(client, "_pool", pool)
        pool.submit(others_are_done.wait, 5)
        try:
            with pytest.raises(NotSent, match="too many requests"):
                reject(sandbox.url, within=0.2)
        finally:
            others_are_done.set()
    assert sandbox.rejects == []


# What never left


def test_a_refused_connection_was_not_sent() -> None:
    with pytest.raises(NotSent, match="Connection refused"):
        reject(f"http://127.0.0.1:{free_port()}")


def test_an_unknown_host_was_not_sent() -> None:
    with pytest.raises(NotSent, match="NameResolutionError"):
        reject("http://vendor.invalid")


@pytest.mark.parametrize("url", ["", "http://", "no address", "http://x:port"])
def test_what_is_no_address_was_not_sent(url: str) -> None:
    with pytest.raises(NotSent):
        reject(url)


def test_a_connection_that_is_never_taken_was_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "CONNECT_WITHIN", 0.3)
    with socket.socket() as deaf, ExitStack() as crowd:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen(0)
        for _ in range(4):  # fill the queue of those who wait to be taken
            one = crowd.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        with pytest.raises(NotSent, match="connecting timed out"):
            reject(f"http://127.0.0.1:{deaf.getsockname()[1]}")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for 127.0.0.1 with its key, signed by nobody but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path_factory.mktemp("tls") / "certificate.pem"
    file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    return file


@contextmanager
def tls_vendor(certificate: Path, answer: Callable[[ssl.SSLSocket], None]) -> Iterator[str]:
    """A vendor over TLS that takes one connection; its address."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    listener = socket.create_server(("127.0.0.1", 0))

    def take_one() -> None:
        try:
            plain, _ = listener.accept()
            with plain, context.wrap_socket(plain, server_side=True, do_handshake_on_connect=False) as connection:
                connection.do_handshake()
                answer(connection)
        except OSError:
            """The client hung up."""

    thread = threading.Thread(target=take_one)
    thread.start()
    try:
        yield f"https://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()
        thread.join()


def test_a_certificate_that_nobody_vouches_for_stops_the_request(certificate: Path) -> None:
    with (
        tls_vendor(certificate, lambda connection: None) as url,
        pytest.raises(NotSent, match="certificate"),
    ):
        reject(url)


def test_a_tls_failure_after_the_request_left_is_no_answer(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    received = bytearray()

    def garble(connection: ssl.SSLSocket) -> None:
        while not received.endswith(b"}"):
            received.extend(connection.recv(65536))
        with socket.socket(fileno=connection.detach()) as plain:
            plain.sendall(b"this is no TLS record")
            plain.recv(1024)  # until the client hangs up

    with tls_vendor(certificate, garble) as url:
        error = why_no_answer(lambda: reject(url))
    assert received.startswith(b"POST")
    assert "SSL" in str(error)
