"""Opening and sealing callbacks: bytes to notices, and back. Pure functions.

Source: the vendor's pages on callbacks (showdoc yunzhenji 11490692518660567, 11490693160849765). The body is AES-256-CBC
under the app's encoding_aes_key, with the key's first 16 bytes as IV and PKCS#7 padding to 32-byte blocks. How the
ciphertext travels isn't said, so each form that is possible is tried; only the right one has valid padding and is JSON.
"""

import base64
import binascii
import codecs
import json
import re
import threading
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

PADDED_TO = 32  # bytes
AES_BLOCK = 16  # bytes
KEYS_REMEMBERED = 100
LONGEST_NUMBER = 640  # digits; so many int() always takes

Form = Literal["base64", "json-string", "json-object", "raw", "plain"]

_BASE64 = re.compile(rb"[A-Za-z0-9+/_-]+={0,2}")
_BLANKS = re.compile(rb"\s+")
_URL_SAFE = bytes.maketrans(b"-_", b"+/")


class Unreadable(Exception):
    """A body, or a notice in it, from which no sense can be made; the text says why, for admins."""


def key_bytes(aes_key: str) -> bytes:
    """The 32 bytes of an encoding_aes_key: base64 without its `=` where it has 43 characters, else the key itself.

    Raises: ValueError where it is neither.
    """
    key = base64.b64decode(aes_key + "=", validate=True) if len(aes_key) == 43 else aes_key.encode()
    if len(key) != 32:
        raise ValueError("an encoding_aes_key has 43 characters, or 32")
    return key


def open_body(body: bytes, key: bytes, allow_plain: bool = False) -> list[Any]:
    """The notices in a callback's body.

    Raises: Unreadable where no form fits, or what comes out is no JSON array.
    """
    if allow_plain and (notices := _as_notices(_json(body))) is not None:
        return notices
    why = "the body is neither ciphertext, nor base64 or JSON that holds some"
    for ciphertext in _ciphertexts(body):
        plaintext = _decrypted(ciphertext, key)
        if plaintext is None:
            why = "the body can't be decrypted with this encoding_aes_key"
        elif (notices := _as_notices(_json(plaintext))) is not None:
            return notices
        else:  # perhaps no ciphertext at all: of 256 other texts one decrypts to what looks padded; so the next is tried
            why = "the decrypted body is no JSON array of notices"
    raise Unreadable(why)


def seal(notices: object, key: bytes, form: Form = "base64") -> bytes:
    """The body of a callback that holds these notices; the inverse of `open_body`."""
    plaintext = json.dumps(notices, ensure_ascii=False).encode("utf-8", "surrogatepass")
    if form == "plain":
        return plaintext
    count = PADDED_TO - len(plaintext) % PADDED_TO
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:AES_BLOCK])).encryptor()
    ciphertext = encryptor.update(plaintext + bytes([count]) * count) + encryptor.finalize()
    if form == "raw":
        return ciphertext
    text = base64.b64encode(ciphertext).decode()
    if form == "json-string":
        return json.dumps(text).encode()
    if form == "json-object":
        return json.dumps({"encrypt": text}).encode()
    return text.encode()


def _ciphertexts(body: bytes) -> Iterator[bytes]:
    """What could be the ciphertext in this body, the likeliest first."""
    if (decoded := _from_base64(body)) is not None:
        yield decoded
    parsed = _json(body)
    texts = [parsed] if isinstance(parsed, str) else list(parsed.values()) if isinstance(parsed, dict) else []
    for text in texts:
        if isinstance(text, str) and (decoded := _from_base64(text.encode("utf-8", "replace"))) is not None:
            yield decoded
    if body and len(body) % AES_BLOCK == 0:
        yield body


def _from_base64(text: bytes) -> bytes | None:
    """Decoded, where it is base64 (either alphabet, padded or not, broken into lines or not) of whole AES blocks."""
    try:
        decoded = binascii.a2b_base64(text, strict_mode=True)  # as it nearly always comes
    except binascii.Error:
        decoded = _from_odd_base64(text)
    return decoded if decoded and len(decoded) % AES_BLOCK == 0 else None


def _from_odd_base64(text: bytes) -> bytes:
    """Empty where it is no base64 at all."""
    text = _BLANKS.sub(b"", text.removeprefix(codecs.BOM_UTF8))
    if not _BASE64.fullmatch(text):
        return b""
    text = text.rstrip(b"=").translate(_URL_SAFE)
    try:
        return base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        return b""


def _decrypted(ciphertext: bytes, key: bytes) -> bytes | None:
    """The plaintext; None where the padding shows that key or ciphertext is wrong."""
    padded = _decryptors.of(key).update(key[:AES_BLOCK] + ciphertext)[AES_BLOCK:]
    count = padded[-1]
    if not 1 <= count <= PADDED_TO or not padded.endswith(bytes([count]) * count):
        return None
    return padded[:-count]


class _Decryptors(threading.local):
    """One for each key and thread, used again and again, since to make one takes longer than to decrypt a chat message.

    In CBC a block of plaintext depends on the block of ciphertext before it and on nothing earlier (NIST SP 800-38A, 6.2).
    So with the IV as the first block of ciphertext the rest comes out right, whatever was decrypted before; the first block
    doesn't, and is dropped.
    """

    def __init__(self) -> None:
        self.of = lru_cache(KEYS_REMEMBERED)(_decryptor)


def _decryptor(key: bytes) -> CipherContext:
    return Cipher(algorithms.AES(key), modes.CBC(bytes(AES_BLOCK))).decryptor()


_decryptors = _Decryptors()


def _json(text: bytes) -> Any:
    """Parsed; None where it is no JSON. A number with a point stays text, so that no call id ever becomes a float.

    A nickname that was cut half-way through a character, or holds a line break, must not cost the notices around it: so bad
    bytes are replaced, and control characters taken.
    """
    try:
        return _decoder.decode(_text(text))
    except (ValueError, RecursionError):
        return None


def _text(content: bytes) -> str:
    try:
        return content.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError:
        return content.decode("utf-8-sig", "replace")


def _whole_number(digits: str) -> int | str:
    """One that is too long for Python stays text: it must not cost the notices around it."""
    return int(digits) if len(digits) <= LONGEST_NUMBER else digits


_decoder = json.JSONDecoder(strict=False, parse_float=str, parse_int=_whole_number, parse_constant=str)


def _as_notices(parsed: Any) -> list[Any] | None:
    """A single notice stands for a list of one."""
    if isinstance(parsed, dict) and "type" in parsed:
        return [parsed]
    return parsed if isinstance(parsed, list) else None
