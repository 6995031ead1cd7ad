"""Fetching a file from an address that a stranger gave."""

from __future__ import annotations

import threading
import time
from queue import Empty, SimpleQueue

import requests
from django.conf import settings
from requests_hardened import Config, HTTPSession

WITHIN = 5.0  # seconds by the clock, redirects included
CONNECT_WITHIN = 3.0  # seconds
LARGEST = 1024 * 1024  # bytes
MOST_REDIRECTS = 3
AT_ONCE = 8  # fetches under way, those that nobody waits for any more included

_places = threading.BoundedSemaphore(AT_ONCE)


class NotFetched(Exception):
    """Why there is no file, technically."""


def fetch(address: str, within: float = WITHIN) -> bytes:
    """What is at an http or https address, up to 1 MiB. Addresses inside our own networks are refused, wherever a name or a
    redirect leads to one, unless AVATARS_FROM_INSIDE allows them.

    within: seconds. Raises: NotFetched.
    """
    if not _places.acquire(blocking=False):
        raise NotFetched("too many fetches are under way")
    # A thread of its own, since neither the look-up of a name nor a host that sends byte after byte ends in time by itself.
    # A daemon: the process doesn't wait for it when it ends.
    said: SimpleQueue[bytes | NotFetched] = SimpleQueue()
    threading.Thread(target=_fetch_and_say, args=(address, within, said), name="strangers", daemon=True).start()
    try:
        found = said.get(timeout=within)
    except Empty:
        raise NotFetched("no answer in time") from None
    if isinstance(found, NotFetched):
        raise found
    return found


def _fetch_and_say(address: str, within: float, said: SimpleQueue[bytes | NotFetched]) -> None:
    try:
        said.put(_fetched(address, time.monotonic() + within))
    except NotFetched as error:
        said.put(error)
    except Exception as error:  # whatever comes of a stranger's address and answer
        said.put(NotFetched(f"{type(error).__name__}: {error}"[:200]))
    finally:
        _places.release()


def _fetched(address: str, until: float) -> bytes:
    # As it is sent: what is unpacked may be of any size. Pictures are small as they are.
    headers = {"Accept": "image/*", "Accept-Encoding": "identity"}
    with _session() as session, session.get(address, headers=headers, stream=True) as response:
        if response.status_code != 200:
            raise NotFetched(f"HTTP {response.status_code}")
        read = b""
        while piece := response.raw.read1(LARGEST + 1 - len(read), decode_content=False):
            read += piece
            if len(read) > LARGEST:
                raise NotFetched("larger than 1 MiB")
            if time.monotonic() > until:
                raise NotFetched("no answer in time")
    return read


def _session() -> requests.Session:
    """One that knows nothing of us: no cookies or passwords, and no proxy, which would go where we must not."""
    session: requests.Session = HTTPSession(
        Config(
            ip_filter_enable=not settings.AVATARS_FROM_INSIDE,
            ip_filter_allow_loopback_ips=False,
            never_redirect=False,
            default_timeout=(CONNECT_WITHIN, WITHIN),
        )
    )
    session.trust_env = False
    session.max_redirects = MOST_REDIRECTS
    return session
