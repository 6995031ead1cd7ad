"""A push service as browsers' makers run them, on loopback, and a browser that subscribed to it."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from calls.models import Person, PushSubscription
from calls.push import services

from .factory import make_client

_numbers = count(1)


def in_text(content: bytes) -> str:
    return base64.urlsafe_b64encode(content).decode().rstrip("=")


def in_bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass(frozen=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class PushService:
    """Answers as told: with a status, after as many seconds."""

    received: list[Received] = field(default_factory=list)
    status: int = 201
    seconds: float = 0.0
    port: int = 0

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def running_push_service() -> Iterator[PushService]:
    service = PushService()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.received.append(Received(self.path, dict(self.headers), body))
            time.sleep(service.seconds)
            self.send_response(service.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    service.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class Browser:
    """Subscribed to a service; reads what that was sent for it, by RFC 8291 and with nothing that Ringdesk encrypts with."""

    def __init__(self, service: PushService) -> None:
        self._service = service
        self._path = f"/browser-{next(_numbers)}"
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._auth = bytes(range(16))

    @property
    def keys(self) -> dict[str, str]:
        """As the browser gives them to the page."""
        public = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        return {"endpoint": self._service.origin + self._path, "p256dh": in_text(public), "auth": in_text(self._auth)}

    def subscribe(self, person: Person, language: str = "en") -> PushSubscription:
        """While this person is signed in, which they are from here on."""
        session = make_client(person).session.session_key
        return PushSubscription.objects.keep(person, str(session), language, **self.keys)

    @property
    def requests(self) -> list[Received]:
        return [one for one in self._service.received if one.path == self._path]

    @property
    def messages(self) -> list[dict[str, Any]]:
        return [json.loads(self._decrypted(one.body)) for one in self.requests]

    def _decrypted(self, body: bytes) -> bytes:
        salt, length = body[:16], body[20]
        sender, sealed = body[21 : 21 + length], body[21 + length :]
        mine = self._key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
        shared = self._key.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), sender))
        secret = HKDF(SHA256(), 32, self._auth, b"WebPush: info\0" + mine + sender).derive(shared)
        key = HKDF(SHA256(), 16, salt, b"Content-Encoding: aes128gcm\0").derive(secret)
        nonce = HKDF(SHA256(), 12, salt, b"Content-Encoding: nonce\0").derive(secret)
        padded = AESGCM(key).decrypt(nonce, sealed, None)
        assert padded.endswith(b"\2"), "the last record ends so"
        return padded[:-1]


def claims_of(received: Received) -> dict[str, Any]:
    """What the sender shows itself with, once its signature is found to be that of the key that browsers subscribe with."""
    scheme, parameters = received.headers["Authorization"].split(" ", 1)
    values = dict(one.split("=", 1) for one in parameters.split(","))
    assert (scheme, values["k"]) == ("vapid", services.public_key())
    content, signature = values["t"].rsplit(".", 1)
    raw = in_bytes(signature)
    numbers = int.from_bytes(raw[:32]), int.from_bytes(raw[32:])
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), in_bytes(values["k"]))
    key.verify(encode_dss_signature(*numbers), content.encode(), ec.ECDSA(SHA256()))
    header, claims = (json.loads(in_bytes(part)) for part in content.split("."))
    assert header["alg"] == "ES256"
    return dict(claims)
