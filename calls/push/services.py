"""The push services of browsers' makers: which are sent anything, and how this server shows them who it is (RFC 8292)."""

from __future__ import annotations

import re
from functools import lru_cache
from urllib.parse import urlsplit

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from django.conf import settings
from py_vapid import Vapid02
from py_vapid.utils import b64urlencode

from .. import vault

# Written as narrowly as browsers write it, so that nobody reads another host in it. Tests have services of their own.
ENDPOINT = re.compile(r"https://([a-z0-9.-]+)/[!-\[\]-~]+")
ENDPOINT_OF_A_TEST = re.compile(r"http://(127\.0\.0\.1):\d+/[!-\[\]-~]+")

TOKEN_LASTS = 12 * 3600  # seconds; a day at most
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256 (SEC 2, 2.4.2)


def is_known(endpoint: str) -> bool:
    """Whether this address is one of a push service. The server posts to it, and whoever subscribes chooses it: without a
    list, they could have it post to any machine that it reaches."""
    if settings.PUSH_SERVICES_ON_THIS_MACHINE and ENDPOINT_OF_A_TEST.fullmatch(endpoint):
        return True
    found = ENDPOINT.fullmatch(endpoint)
    return found is not None and any(
        found[1] == service or found[1].endswith(f".{service}") for service in settings.PUSH_SERVICES
    )


def origin_of(endpoint: str) -> str:
    parts = urlsplit(endpoint)
    return f"{parts.scheme}://{parts.netloc}"


def public_key() -> str:
    """What browsers subscribe with, in base64 for addresses; the same on all hosts, and for as long as SECRET_KEY is."""
    key = _private_key(settings.SECRET_KEY).public_key()
    return str(b64urlencode(key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)))


def authorization(origin: str, now: float) -> str:
    """The header that shows the service at this origin that it is us. now: seconds since 1970."""
    return _authorization(settings.SECRET_KEY, origin, int(now) // TOKEN_LASTS)


@lru_cache(100)
def _authorization(secret_key: str, origin: str, stretch: int) -> str:
    claims = {"aud": origin, "exp": (stretch + 2) * TOKEN_LASTS - 60, "sub": settings.PUBLIC_URL}
    vapid = Vapid02(_private_key(secret_key), conf={"no-strict": True})  # it knows few forms of addresses of ours
    return str(vapid.sign(claims)["Authorization"])


@lru_cache(1)
def _private_key(secret_key: str) -> ec.EllipticCurvePrivateKey:
    """From more bits than needed, so that no number is likelier than another (FIPS 186-5, A.2.1)."""
    number = int.from_bytes(vault.derived(secret_key, b"ringdesk web push", 48))
    return ec.derive_private_key(number % (ORDER - 1) + 1, ec.SECP256R1())
