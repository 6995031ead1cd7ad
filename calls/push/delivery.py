"""Sending what is pushed: encrypted for one browser, to the push service of its maker, by a few threads.

Nobody waits for it, and nothing is tried again: a service that takes it keeps it for as long as the call rings, and what
could not be sent is a call that rings on open pages all the same.
"""

from __future__ import annotations

import json
import logging
import math
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, Full, Queue

import http_ece
import requests
from cryptography.hazmat.primitives.asymmetric import ec
from django.db import Error as DatabaseError
from django.db import connection
from py_vapid.utils import b64urldecode

from .. import metrics
from ..models import PushSubscription
from . import services
from .messages import Message

logger = logging.getLogger(__name__)

THREADS = 4
MOST_WAITING = 2_000  # messages
WITHIN = (3.0, 5.0)  # seconds, to connect and to be answered
ENDED_WITHIN = 1.0  # seconds
LEFT_ALONE = 60.0  # seconds, for a service that could not be reached or has enough
GONE = {401, 403, 404, 410}  # expired, or subscribed with a key that isn't ours any more (RFC 8030, 7.3; RFC 8292, 4.2)
TOO_MANY = 429


@dataclass(frozen=True)
class Push:
    """One message to one browser."""

    subscription: PushSubscription
    message: Message
    until: float  # seconds since 1970; later it is of no use
    is_urgent: bool


class Deliveries:
    def __init__(self) -> None:
        # One for each thread. A browser has always the same, so that no call rings after it is over.
        self._waiting: list[Queue[Push | None]] = [Queue(MOST_WAITING // THREADS) for _ in range(THREADS)]
        self._threads: list[threading.Thread] = []
        self._left_alone: dict[str, float] = {}  # until when by the monotonic clock, by origin

    def start(self) -> None:
        for number, waiting in enumerate(self._waiting):
            thread = threading.Thread(target=self._run, args=(waiting,), name=f"push {number}", daemon=True)
            thread.start()
            self._threads.append(thread)

    def stop(self) -> None:
        """What waits is dropped; what is being sent is waited for, but not for long."""
        for waiting in self._waiting:
            with suppress(Empty):
                while True:
                    waiting.get_nowait()
            waiting.put(None)
        give_up_at = time.monotonic() + ENDED_WITHIN
        for thread in self._threads:
            thread.join(max(0.0, give_up_at - time.monotonic()))
        self._threads.clear()

    def put(self, push: Push) -> None:
        """Have it sent; dropped where far too much waits already."""
        try:
            self._waiting[push.subscription.pk % THREADS].put_nowait(push)
        except Full:
            _count("dropped")

    def _run(self, waiting: Queue[Push | None]) -> None:
        with requests.Session() as session:
            while (push := waiting.get()) is not None:
                try:
                    self._send(push, session)
                except DatabaseError as error:
                    logger.warning("a push subscription that is gone could not be removed yet: %s", error)
                except Exception:
                    logger.exception("a message could not be pushed")
                finally:
                    connection.close()

    def _send(self, push: Push, session: requests.Session) -> None:
        endpoint = push.subscription.endpoint
        origin = services.origin_of(endpoint)
        left = math.ceil(push.until - time.time())
        if left <= 0:
            return _count("late")
        if not services.is_known(endpoint):  # any more
            return _forget(push.subscription)
        if time.monotonic() < self._left_alone.get(origin, 0):
            return _count("unreachable")
        try:
            answer = session.post(
                endpoint,
                data=encrypted(push.message, push.subscription),
                headers=_headers(push, origin, left),
                timeout=WITHIN,
                allow_redirects=False,
                stream=True,  # of the answer's body nothing is of interest
            )
            answer.close()
        except requests.RequestException as error:
            self._leave_alone(origin, type(error).__name__)  # its text holds the endpoint
            return _count("unreachable")
        return self._note(answer.status_code, push.subscription, origin)

    def _note(self, status: int, subscription: PushSubscription, origin: str) -> None:
        if status < 300:
            return _count("sent")
        if status in GONE:
            return _forget(subscription)
        if status == TOO_MANY or status >= 500:
            self._leave_alone(origin, f"it answered {status}")
        else:
            logger.warning("the push service %s refused a message: %d", origin, status)
        return _count("refused")

    def _leave_alone(self, origin: str, why: str) -> None:
        """One that hangs must not hold up what goes to the others. From mainland China some can't be reached at all."""
        logger.warning("the push service %s is left alone for %.0f s: %s", origin, LEFT_ALONE, why)
        self._left_alone[origin] = time.monotonic() + LEFT_ALONE


def encrypted(message: Message, subscription: PushSubscription) -> bytes:
    """For this browser alone to read (RFC 8291)."""
    return bytes(
        http_ece.encrypt(
            json.dumps(message, ensure_ascii=False, separators=(",", ":")).encode(),
            private_key=ec.generate_private_key(ec.SECP256R1()),
            dh=b64urldecode(subscription.p256dh.encode()),
            auth_secret=b64urldecode(subscription.auth.encode()),
            version="aes128gcm",
        )
    )


def _headers(push: Push, origin: str, left: int) -> dict[str, str]:
    return {
        "Authorization": services.authorization(origin, time.time()),
        "Content-Type": "application/octet-stream",
        "Content-Encoding": "aes128gcm",
        "TTL": str(left),
        "Urgency": "high" if push.is_urgent else "normal",
        "Topic": f"call-{push.message['call']}",  # what has not reached the browser yet is replaced (RFC 8030, 5.4)
    }


def _forget(subscription: PushSubscription) -> None:
    # As it is known here: the browser may have subscribed anew meanwhile.
    PushSubscription.objects.filter(pk=subscription.pk, endpoint=subscription.endpoint, p256dh=subscription.p256dh).delete()
    _count("gone")


def _count(result: str) -> None:
    metrics.PUSHES.labels(result).inc()
