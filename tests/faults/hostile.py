"""Bodies that no vendor should send: made up from a seed, so that one that does harm can be had again."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from calls.vendor import envelope
from calls.vendor.envelope import Form
from calls.vendor.sandbox import call_notice, chat_notice
from tests.factory import encrypted

FORMS: tuple[Form, ...] = ("base64", "json-string", "json-object", "raw", "plain")
OVERSIZED = 1024 * 1024 + 1  # bytes
VALUES: tuple[Any, ...] = (
    None, True, -1, 0, 2**63, 10**400, 1.5, float("nan"), "", " ", "\0", "\ud800", "\u202e", "x" * 70_000, "1" * 64,
    "1" * 65, "' OR 1=1 --", "<script>alert(1)</script>", "{{ 7*7 }}", "../../etc/passwd", "%s%n", [], {}, [[]], {"a": {}},
    "🀄" * 300,
)  # fmt: skip


class Hostile:
    """Makes bodies for whoever has this key."""

    def __init__(self, key: bytes, wxid: str, seed: int) -> None:
        self.key = key
        self.wxid = wxid
        self.random = random.Random(seed)
        self._number = 0

    def body(self) -> bytes:
        makers: list[Callable[[], bytes]] = [
            self._noise, self._torn, self._flipped, self._under_another_key, self._nested, self._odd_notice,
            self._odd_notice, self._many_notices, self._no_notices,
        ]  # fmt: skip
        if self.random.random() < 0.01:
            return self._large()
        return self.random.choice(makers)()

    def _call(self) -> dict[str, Any]:
        self._number += 1
        return call_notice(self.wxid, "7881302848173300", f"hostile-{self._number}")

    def _sealed(self, notices: object, key: bytes = b"") -> bytes:
        return envelope.seal(notices, key or self.key, self.random.choice(FORMS))

    def _noise(self) -> bytes:
        return self.random.randbytes(self.random.choice([0, 1, 15, 16, 32, 33, 4096]))

    def _large(self) -> bytes:
        return self.random.choice([b"x", b"[", b"\xff", b"A"]) * self.random.choice([OVERSIZED - 1, OVERSIZED])

    def _torn(self) -> bytes:
        whole = self._sealed([self._call()])
        return whole[: self.random.randrange(len(whole))]

    def _flipped(self) -> bytes:
        body = bytearray(self._sealed([self._call(), chat_notice(self.wxid)]))
        for _ in range(self.random.randint(1, 5)):
            body[self.random.randrange(len(body))] = self.random.randrange(256)
        return bytes(body)

    def _under_another_key(self) -> bytes:
        return self._sealed([self._call()], self.random.randbytes(32))

    def _nested(self) -> bytes:
        depth = self.random.choice([50, 300, 990, 996, 1000, 5000, 100_000])
        opening, closing = self.random.choice([("[", "]"), ('{"a":', "}")])
        deep = opening * depth + "1" + closing * (depth if self.random.random() < 0.7 else 0)
        around = self.random.choice(["%s", "[%s]", '[{"type": "voiceVideoCall", "data": %s}]', '[{"type": %s}]'])
        return encrypted((around % deep).encode(), self.key)

    def _odd_notice(self) -> bytes:
        notice = self._call()
        holder = self.random.choice([notice, notice["data"][0]])
        for _ in range(self.random.randint(1, 3)):
            holder[self.random.choice([*holder, "a new field", "\udfff"])] = self.random.choice(VALUES)
        text = json.dumps([notice, self.random.choice(VALUES)], ensure_ascii=True)
        return encrypted(text.encode(), self.key)

    def _many_notices(self) -> bytes:
        accounts = (f"{self.random.getrandbits(64)}" for _ in range(self.random.choice([1, 100, 3000])))
        return self._sealed([chat_notice(account) for account in accounts])

    def _no_notices(self) -> bytes:
        return self._sealed(self.random.choice(VALUES))
