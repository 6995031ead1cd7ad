"""The vendor's side, played for the demo and for tests: a real HTTP server with tokens, rejects, contacts and encrypted
callbacks.

It follows the same documents as the client and the envelope, keeps what it was asked, and misbehaves on request.
"""

from __future__ import annotations

import contextlib
import json
import random
import secrets
import socket
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO
from typing import Any, Literal, get_args
from urllib.parse import parse_qsl

import requests
from PIL import Image, ImageDraw

from . import envelope
from .envelope import Form

Fault = Literal[
    "slow",  # a right answer after 1.5 s
    "hang",  # a right answer after 10 s, which is later than anybody waits
    "refused",  # errcode 1001
    "limit",  # errcode 407
    "not-allowed",  # errcode 113
    "token-expired",  # errcode 111, and every token is void
    "token-expired-always",  # errcode 111, whatever the token
    "broken",  # HTTP 200, but no JSON
    "server-error",  # HTTP 502 with a page of HTML
    "lost",  # the connection is closed without an answer
    "cut-off",  # the connection is closed in the middle of a right answer
    "garbage",  # what comes back is no HTTP
]
FAULTS: tuple[Fault, ...] = get_args(Fault)

DELAYS = {"slow": 1.5, "hang": 10.0}  # seconds
REFUSALS = {
    "refused": {"errcode": 1001, "message": "base service failed"},
    "limit": {"errcode": 407, "message": "request limit exceeded"},
    "not-allowed": {"errcode": 113, "message": "ip not in whitelist"},
    "token-expired": {"errcode": 111, "message": "access_token expired"},
    "token-expired-always": {"errcode": 111, "message": "access_token expired"},
}

PEOPLE = [
    "王秀英",
    "周杰",
    "孙丽",
    "吴磊",
    "郑浩",
    "何静",
    "高翔",
    "马超",
    "刘洋",
    "北辰物流-陈经理",
    "Emma Wilson",
    "赵敏敏",
    "",
    "林晓彤",
]
NAMELESS = "唐小满"  # in place of an empty name, where the vendor is asked for it
FIRST_CONTACT = 7881300000000000
AVATARS = "/avatars/"
COLOURS = ["#e8a87c", "#7fb7be", "#c38d9e", "#8dab7f", "#d9b44a"]
ACCOUNTS = ["1688851873049028", "1688851873049029", "1688851873049030"]


@dataclass
class Sandbox:
    """A vendor on loopback. Use it as a context manager, or start and stop it.

    port: 0 for any that is free. token_lasts: seconds.
    """

    app_id: str = "sandbox-app"
    app_secret: str = "sandbox-secret"  # noqa: S105
    host: str = "127.0.0.1"
    port: int = 0
    token_lasts: int = 7200
    rejects: list[dict[str, Any]] = field(default_factory=list)  # bodies of the reject calls that came, in order
    details: list[dict[str, Any]] = field(default_factory=list)  # queries for contacts that came, in order
    tokens: list[str] = field(default_factory=list)  # tokens handed out; only the last one is valid

    def __post_init__(self) -> None:
        self._faults: dict[str, list[Fault]] = {}
        self._always: dict[str, Fault] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()

    def __enter__(self) -> Sandbox:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def start(self) -> None:
        """Raises: OSError where the port is taken."""
        self._server = _Server((self.host, self.port), partial(_Handler, self))
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    def stop(self) -> None:
        self._stopping.set()  # ends the waits of slow answers
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def misbehave(self, path: str, *faults: Fault, always: bool = False) -> None:
        """Meet the next requests to this path with these faults, one each; or every request with the one given."""
        with self._lock:
            if always:
                self._always[path] = faults[0]
            else:
                self._faults.setdefault(path, []).extend(faults)

    def behave(self) -> None:
        """Forget every fault that was asked for."""
        with self._lock:
            self._faults.clear()
            self._always.clear()

    def answer(self, path: str, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        """What the vendor says to a request; notes it."""
        if path == "/oauth/token":
            return self._give_token(body)
        if path == "/wechat/handleVoipCall":
            return self._reject(body, fault)
        if path == "/wechat/list":
            return self._refusal_of(body) or {"errcode": 0, "data": []}
        if path == "/wechat/contactDetail":
            return self._tell_of_contact(body, fault)
        if path == "/index/serverIpList":
            return {"errcode": 0, "data": [self.host]}
        return {"errcode": 405, "message": "no such interface"}

    def next_fault(self, path: str) -> Fault | None:
        with self._lock:
            waiting = self._faults.get(path)
            return waiting.pop(0) if waiting else self._always.get(path)

    def wait(self, seconds: float) -> None:
        self._stopping.wait(seconds)

    def _give_token(self, body: dict[str, Any]) -> dict[str, Any]:
        if body.get("app_id") != self.app_id:
            return {"errcode": 101, "message": "app_id error"}
        if body.get("app_secret") != self.app_secret:
            return {"errcode": 102, "message": "app_secret error"}
        if body.get("grand_type") != "client_credentials":
            return {"errcode": 103, "message": "grant_type error"}
        token = secrets.token_hex(16)
        with self._lock:
            self.tokens.append(token)
        return {"errcode": 0, "data": {"access_token": token, "expires_in": self.token_lasts}}

    def _reject(self, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        with self._lock:
            self.rejects.append(body)
            if fault == "token-expired":
                self.tokens.append(secrets.token_hex(16))
        if fault in REFUSALS:
            return REFUSALS[fault]
        if refusal := self._refusal_of(body):
            return refusal
        wanted: dict[str, type | tuple[type, ...]] = {
            "app_id": str,
            "wxid": str,
            "chat_wxid": str,
            "voipid": (int, str),
            "type": int,
            "action": str,
        }
        if any(not isinstance(body.get(name), kind) for name, kind in wanted.items()):
            return {"errcode": 406, "message": "parameter error"}
        if body["type"] not in {1, 2} or body["action"] != "rejectVoiceCall":
            return {"errcode": 406, "message": "parameter error"}
        return {"errcode": 0}

    def _tell_of_contact(self, query: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        with self._lock:
            self.details.append(query)
        if fault in REFUSALS:
            return REFUSALS[fault]
        if refusal := self._refusal_of(query):
            return refusal
        wxid = query.get("wxid", "")
        if not query.get("rel_wxid") or not wxid.isdecimal():
            return {"errcode": 406, "message": "parameter error"}
        who = abs(int(wxid) - FIRST_CONTACT)
        avatar = f"{self.url}{AVATARS}{who}.png" if who % 3 else ""  # not everybody has one
        return {"errcode": 0, "data": {"nickname": PEOPLE[who % len(PEOPLE)] or NAMELESS, "avatar": avatar, "corp_wxid": ""}}

    def _refusal_of(self, body: dict[str, Any]) -> dict[str, Any] | None:
        token = body.get("access_token")
        if not token:
            return {"errcode": 112, "message": "access_token empty"}
        with self._lock:
            valid = bool(self.tokens) and token == self.tokens[-1]
        return None if valid else {"errcode": 110, "message": "access_token error"}


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def __init__(self, *args: Any) -> None:
        self._connections: set[socket.socket] = set()
        super().__init__(*args)

    def process_request(self, request: Any, client_address: Any) -> None:
        self._connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._connections.discard(request)
        super().shutdown_request(request)

    def server_close(self) -> None:
        """Hang up on everybody, as a process that ends does."""
        super().server_close()
        for connection in list(self._connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that hung up is everyday business here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def __init__(self, sandbox: Sandbox, *args: Any) -> None:
        self.sandbox = sandbox
        super().__init__(*args)

    def do_GET(self) -> None:
        path, _, query = self.path.partition("?")
        if path.startswith(AVATARS):
            self._send(200, drawn(path), content_type="image/png")
        else:
            self._answer(path, dict(parse_qsl(query)))

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        try:
            parsed = json.loads(body)
        except ValueError:
            parsed = None
        self._answer(self.path, parsed if isinstance(parsed, dict) else {})

    def _answer(self, path: str, body: dict[str, Any]) -> None:
        if path == "/sandbox/faults":  # {"path": "/wechat/handleVoipCall", "faults": ["slow"], "always": false}
            self._send(200, self._ask_for_faults(body))
            return
        fault = self.sandbox.next_fault(path)
        said = self.sandbox.answer(path, body, fault)
        self.sandbox.wait(DELAYS.get(fault or "", 0))
        if fault == "lost":
            self.close_connection = True
        elif fault == "broken":
            self._send(200, b'{errcode":0}')
        elif fault == "server-error":
            self._send(502, b"<html><h1>502 Bad Gateway</h1></html>")
        elif fault == "cut-off":
            self._send(200, json.dumps(said).encode(), cut_off=5)
        elif fault == "garbage":
            self.wfile.write(secrets.token_bytes(64) + b"\r\n")
            self.close_connection = True
        else:
            self._send(200, json.dumps(said).encode())

    def _ask_for_faults(self, body: dict[str, Any]) -> bytes:
        asked = [fault for fault in body.get("faults", []) if fault in FAULTS]
        if asked:
            self.sandbox.misbehave(body["path"], *asked, always=bool(body.get("always")))
        else:
            self.sandbox.behave()
        return json.dumps({"errcode": 0, "faults": asked}).encode()

    def _send(
        self, status: int, body: bytes, cut_off: int = 0, content_type: str = "application/json; charset=UTF-8"
    ) -> None:
        """cut_off: bytes that are announced and never come."""
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: len(body) - cut_off])
        if cut_off:
            self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:
        """Requests are kept, not logged."""


def drawn(name: str) -> bytes:
    """Somebody's head and shoulders, as PNG; the same for the same name."""
    rng = random.Random(name)
    ground, clothes = rng.sample(COLOURS, 2)
    image = Image.new("RGB", (200, 200), ground)
    draw = ImageDraw.Draw(image)
    draw.ellipse((25, 130, 175, 300), fill=clothes)
    draw.ellipse((60, 45, 140, 135), fill=rng.choice(["#f1c9a5", "#e0ac82", "#c68863"]))
    draw.chord((56, 35, 144, 130), 180, 360, fill=rng.choice(["#2b2420", "#4a3728", "#6b6b6b"]))
    written = BytesIO()
    image.save(written, "PNG")
    return written.getvalue()


def call_notice(wxid: str, chat_wxid: str, voipid: int | str, kind: int | str = 2, **more: Any) -> dict[str, Any]:
    """A `voiceVideoCall` notice, its fields named as in the reject call."""
    item = {"wxid": wxid, "chat_wxid": chat_wxid, "voipid": voipid, "type": kind} | more
    return {"type": "voiceVideoCall", "corp_wxid": "ww0123456789", "rel_wxid": wxid, "data": [item]}


def chat_notice(wxid: str, text: str = "在吗？") -> dict[str, Any]:
    """A chat message, with the blank after its type that was seen at the vendor's."""
    return {"type": "chatMsg ", "rel_wxid": wxid, "data": [{"content": text, "from": "7881302848173300"}]}


def new_voipid() -> int:
    return random.randrange(10**8, 10**19)


@dataclass
class Caller:
    """Makes up customers who call: pushes callbacks to an address, with the noise that comes with them.

    calls_per_minute: on average. repeats: the share of callbacks that are pushed twice.
    burst: calls that come at once, now and then.
    """

    url: str
    aes_key: str
    calls_per_minute: float = 12
    chats_per_call: int = 3
    repeats: float = 0.1
    burst: int = 3
    form: Form = "base64"
    accounts: Sequence[str] = tuple(ACCOUNTS)

    def __post_init__(self) -> None:
        self.stopping = threading.Event()
        self._key = envelope.key_bytes(self.aes_key)

    def run(self, seconds: float | None = None) -> None:
        """Call until stopped, or for so many seconds. What can't be delivered is lost, as with the vendor."""
        ends_at = None if seconds is None else time.monotonic() + seconds
        while not self.stopping.is_set() and (ends_at is None or time.monotonic() < ends_at):
            count = self.burst if random.random() < 0.1 else 1
            self.push([notice for _ in range(count) for notice in self.notices()])
            self.stopping.wait(60 / self.calls_per_minute * count * random.uniform(0.3, 1.7))

    def notices(self) -> list[dict[str, Any]]:
        """One made-up call, among chat messages."""
        who = random.randrange(len(PEOPLE))
        wxid = random.choice(self.accounts)
        call = call_notice(wxid, str(FIRST_CONTACT + who), new_voipid(), random.choice([1, 2, 2]), nickname=PEOPLE[who])
        noise = [chat_notice(wxid) for _ in range(random.randint(0, self.chats_per_call))]
        mixed = [*noise, call]
        random.shuffle(mixed)
        return mixed

    def push(self, notices: list[dict[str, Any]]) -> None:
        body = envelope.seal(notices, self._key, self.form)
        for _ in range(2 if random.random() < self.repeats else 1):
            try:
                requests.post(self.url, data=body, headers={"Content-Type": "application/json"}, timeout=1)
            except requests.RequestException as error:
                print(f"callback not delivered: {type(error).__name__}", flush=True)
