"""Asking the vendor: a token, and the rejection of a call. Knows HTTP and JSON, and no models."""

from __future__ import annotations

import json
import ssl
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from dataclasses import dataclass
from typing import Any

import requests
from django.utils.translation import gettext_noop as _
from urllib3.exceptions import ConnectTimeoutError, HTTPError, MaxRetryError, NewConnectionError
from urllib3.exceptions import SSLError as TLSError

from .notices import LONGEST_NICKNAME, strangers_text, web_address

CONNECT_WITHIN = 3.0  # seconds
TOKEN_WITHIN = 3.0  # seconds
ANSWER_WITHIN = 5.0  # seconds
LONGEST_ANSWER = 64 * 1024  # bytes
LONGEST_TOKEN = 1000  # characters
USUAL_LIFETIME = 7200  # seconds

# Reasons are kept in English and put into the reader's language when they are shown (errors.failure).
TIMED_OUT = _("no answer in time")
NOT_CONNECTED = _("connecting timed out")
NO_JSON = _("the answer is no JSON object")
TOO_MANY = _("too many requests are waiting for the vendor")
AT_THE_VENDOR = 256  # requests under way at once; further ones wait their turn

# A pool of its own: a vendor that hangs holds these threads, and nobody else's. It also bounds each request by the clock,
# which a timeout of the HTTP library does not: that one starts anew with every byte.
_pool = ThreadPoolExecutor(AT_THE_VENDOR, "vendor")
_local = threading.local()


@dataclass(frozen=True)
class Credentials:
    base_url: str
    app_id: str
    app_secret: str
    access_token: str  # a fixed one; empty where tokens are fetched


@dataclass(frozen=True)
class Answer:
    """What the vendor said, and how long it took. `errcode` is "0" for success, and empty where the answer has none."""

    errcode: str
    message: str
    raw: str
    milliseconds: int
    content: dict[str, Any]

    @property
    def accepted(self) -> bool:
        return self.errcode == "0"


class NotSent(Exception):
    """The request never reached the vendor, so nothing can have happened. The text says why, technically."""


class NoAnswer(Exception):
    """The request left, and nothing that can be understood came back: it may or may not have been carried out.

    `raw` is what came back, if anything did.
    """

    def __init__(self, why: str, raw: str = "") -> None:
        super().__init__(why)
        self.raw = raw


def fetch_token(credentials: Credentials, within: float) -> Answer:
    """Ask for a new access token.

    Source: showdoc yunzhenji 11490694073951972. The misspelt `grand_type` is the vendor's.

    within: seconds. Raises: NotSent, NoAnswer.
    """
    return _post(
        credentials,
        "/oauth/token",
        {
            "app_id": credentials.app_id,
            "app_secret": credentials.app_secret,
            "grand_type": "client_credentials",
        },
        min(within, TOKEN_WITHIN),
    )


def token_in(answer: Answer) -> tuple[str, int]:
    """The token in an answer to `fetch_token`, and for how many seconds it lasts; read at the top level or under `data`.

    Raises: NoAnswer where there is none.
    """
    data = answer.content.get("data")
    for holder in (answer.content, data if isinstance(data, dict) else {}):
        token = holder.get("access_token")
        if isinstance(token, str) and token and len(token) <= LONGEST_TOKEN and _storable(token) == token:
            return token, _lifetime(holder.get("expires_in"))
    raise NoAnswer(_("the answer holds no access_token"), answer.raw)


def _lifetime(value: Any) -> int:
    """Seconds; what makes no sense as such (the field's form is inferred) counts as what is usual."""
    text = str(value)
    return int(text) if text.isdecimal() and len(text) <= 7 else USUAL_LIFETIME


def reject_call(
    credentials: Credentials, token: str, *, wxid: str, chat_wxid: str, voipid: str, kind: int, within: float
) -> Answer:
    """Ask the vendor to reject a ringing call, voice or video. The answer is the outcome.

    Source: showdoc yunzhenji 11490699351629719. Where its example and its table differ, the table is followed: `voipid` goes
    as a number where it is one.

    within: seconds. Raises: NotSent, NoAnswer.
    """
    answer = _post(
        credentials,
        "/wechat/handleVoipCall",
        {
            "app_id": credentials.app_id,
            "access_token": token,
            "wxid": wxid,
            "chat_wxid": chat_wxid,
            "voipid": _as_number(voipid),
            "type": kind,
            "action": "rejectVoiceCall",
        },
        within,
    )
    if not answer.errcode:
        raise NoAnswer(_("the answer holds no errcode"), answer.raw)
    return answer


def list_accounts(credentials: Credentials, token: str, within: float) -> Answer:
    """Ask for the first hosted account; used to see whether credentials work.

    Source: showdoc yunzhenji 11490700568000978.

    within: seconds. Raises: NotSent, NoAnswer.
    """
    query = {"app_id": credentials.app_id, "access_token": token, "online": "-1", "page": "1", "page_size": "1"}
    return _ask("GET", credentials, "/wechat/list", within, params=query)


@dataclass(frozen=True)
class Detail:
    """What the vendor knows of a contact; empty where it doesn't."""

    nickname: str
    avatar: str


def contact_detail(credentials: Credentials, token: str, *, wxid: str, contact: str, within: float) -> Answer:
    """Ask what is known of a contact of this hosted account.

    Source: showdoc yunzhenji 11490703583828313.

    within: seconds. Raises: NotSent, NoAnswer.
    """
    query = {"app_id": credentials.app_id, "access_token": token, "rel_wxid": wxid, "wxid": contact}
    return _ask("GET", credentials, "/wechat/contactDetail", within, params=query)


def detail_in(answer: Answer) -> Detail:
    """What an answer to `contact_detail` holds, at the top level or under `data`; its form is inferred."""
    data = answer.content.get("data")
    if isinstance(data, list):
        data = data[0] if data else None
    holders = [data if isinstance(data, dict) else {}, answer.content]
    nicknames = [strangers_text(holder.get("nickname"), LONGEST_NICKNAME) for holder in holders]
    avatars = [web_address(holder.get("avatar")) for holder in holders]
    return Detail(next(filter(None, nicknames), ""), next(filter(None, avatars), ""))


def _post(credentials: Credentials, path: str, body: dict[str, Any], within: float) -> Answer:
    headers = {"Content-Type": "application/json; charset=UTF-8"}
    return _ask("POST", credentials, path, within, data=json.dumps(body).encode(), headers=headers)


def _ask(method: str, credentials: Credentials, path: str, within: float, **content: Any) -> Answer:
    """One request, one answer, within this many seconds by the clock; every failure becomes NotSent or NoAnswer."""
    within = min(within, ANSWER_WITHIN)
    until = time.monotonic() + within
    future = _pool.submit(_request, method, credentials.base_url.rstrip("/") + path, until, **content)
    try:
        return future.result(timeout=within)
    except NotInTime:
        if future.cancel():
            raise NotSent(TOO_MANY) from None
        raise NoAnswer(TIMED_OUT) from None


def _request(method: str, url: str, until: float, **content: Any) -> Answer:
    started = time.monotonic()
    within = until - started  # less than its caller gave, where it had to wait for a thread
    if within <= 0:
        raise NotSent(TOO_MANY)
    try:
        with _session().request(
            method,
            url,
            timeout=(min(CONNECT_WITHIN, within), within),
            allow_redirects=False,  # a redirected POST would arrive as a GET
            stream=True,
            **content,
        ) as response:
            status = response.status_code
            raw = _beginning(response, until).decode("utf-8-sig", "replace")
    except requests.RequestException as error:
        if _never_left(error):
            raise NotSent(_describe(error)) from error
        raise NoAnswer(_describe(error)) from error
    except (HTTPError, OSError) as error:  # while the body is read, which requests leaves to urllib3
        raise NoAnswer(_describe(error)) from error
    milliseconds = round((time.monotonic() - started) * 1000)
    return _understand(raw.replace("\0", "\N{REPLACEMENT CHARACTER}"), status, milliseconds)


def _beginning(response: requests.Response, until: float) -> bytes:
    """The answer, up to a length. Each byte gives the library's timeout a new start, so the clock is watched here too."""
    read = b""
    while len(read) < LONGEST_ANSWER:
        piece = response.raw.read1(LONGEST_ANSWER - len(read), decode_content=True)
        if not piece:
            break
        read += piece
        if time.monotonic() > until:
            raise NoAnswer(TIMED_OUT, read.decode("utf-8", "replace"))
    return read


def _understand(raw: str, status: int, milliseconds: int) -> Answer:
    try:
        content = json.loads(raw)
    except (ValueError, RecursionError):
        raise NoAnswer(f"HTTP {status}: {NO_JSON}", raw) from None
    if not isinstance(content, dict):
        raise NoAnswer(f"HTTP {status}: {NO_JSON}", raw)
    errcode = content.get("errcode")
    is_code = isinstance(errcode, (int, str)) and not isinstance(errcode, bool)
    errcode = _storable(errcode).strip()[:20] if is_code else ""
    message = _storable(content.get("message") or content.get("errmsg") or "")[:500]
    return Answer(errcode, message, raw, milliseconds, content)


def _storable(value: object) -> str:
    """As text that any database takes: JSON can hold NUL and half characters, as escapes."""
    return str(value).replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _never_left(error: requests.RequestException) -> bool:
    """Whether it is certain that the vendor never got the request."""
    if isinstance(error, (requests.ConnectTimeout, requests.exceptions.InvalidURL, requests.exceptions.MissingSchema)):
        return True
    cause = error.args[0] if error.args else None
    if isinstance(cause, MaxRetryError):
        cause = cause.reason
    if isinstance(cause, TLSError):  # of these only a refused certificate is sure to come before the request
        return bool(cause.args) and isinstance(cause.args[0], ssl.SSLCertVerificationError)
    return isinstance(cause, (NewConnectionError, ConnectTimeoutError))


def _describe(error: Exception) -> str:
    """The error in a few words, without the addresses of objects that requests' own texts carry."""
    if isinstance(error, requests.Timeout):
        return NOT_CONNECTED if isinstance(error, requests.ConnectTimeout) else TIMED_OUT
    cause = error.args[0] if error.args else error
    if isinstance(cause, MaxRetryError) and cause.reason is not None:
        cause = cause.reason
    return f"{type(cause).__name__}: {str(cause).rpartition(': ')[2]}"[:300]


def _as_number(voipid: str) -> int | str:
    """A number as the documents ask, provided that it comes out as the same digits; else the text itself."""
    return int(voipid) if voipid.isascii() and voipid.isdecimal() and str(int(voipid)) == voipid else voipid


def _session() -> requests.Session:
    """One per thread: a session isn't made to be shared, and an open connection saves a click the handshake."""
    session: requests.Session | None = getattr(_local, "session", None)
    if session is None:
        session = _local.session = requests.Session()
    return session
