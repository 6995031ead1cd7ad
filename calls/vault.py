"""Encryption at rest for what may hold customers' words, and must be kept for a while all the same."""

from __future__ import annotations

import base64
from functools import lru_cache

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.utils.crypto import salted_hmac


def seal(content: bytes) -> bytes:
    return _fernet(settings.SECRET_KEY).encrypt(content)


def unseal(sealed: bytes) -> bytes:
    """What was sealed.

    Raises: cryptography.fernet.InvalidToken where it was damaged, or SECRET_KEY is no longer the one it was sealed under.
    """
    return _fernet(settings.SECRET_KEY).decrypt(sealed)


def fingerprint(content: bytes) -> str:
    """64 hexadecimal digits: equal for equal contents, and of no use to whoever guesses at them without SECRET_KEY."""
    return salted_hmac("ringdesk kept content", content, algorithm="sha256").hexdigest()


@lru_cache(1)
def _fernet(secret_key: str) -> Fernet:
    return Fernet(base64.urlsafe_b64encode(derived(secret_key, b"ringdesk unread bodies", 32)))


def derived(secret_key: str, purpose: bytes, length: int) -> bytes:
    """A key of so many bytes for this purpose alone, derived from SECRET_KEY (RFC 5869)."""
    return HKDF(SHA256(), length=length, salt=None, info=purpose).derive(secret_key.encode())
