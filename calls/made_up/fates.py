"""What becomes of calls: every course that one can take, how often it does, and when each step of it happens."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from itertools import accumulate
from random import Random
from typing import NamedTuple

from calls.models import Attempt, Call
from calls.vendor.client import NO_JSON, NOT_CONNECTED, TIMED_OUT

Outcome, Result = Call.Outcome, Attempt.Result


class Try(NamedTuple):
    """A request to the vendor, and its answer."""

    result: str
    errcode: str
    message: str
    answer: str
    milliseconds: tuple[int, int] | None  # from, to; None: its process died before it knew


def _answered(result: str, errcode: str, message: str, milliseconds: tuple[int, int]) -> Try:
    said = f', "message": "{message}"' if message else ""
    return Try(result, errcode, message, f'{{"errcode": {errcode}{said}}}', milliseconds)


ACCEPTED = _answered(Result.ACCEPTED, "0", "", (160, 1100))
EXPIRED = _answered(Result.REFUSED, "111", "access_token expired", (60, 240))
NOT_ALLOWED = _answered(Result.REFUSED, "113", "ip not in whitelist", (50, 200))
OVER = _answered(Result.REFUSED, "406", "parameter error", (80, 420))
LIMIT = _answered(Result.REFUSED, "407", "request limit exceeded", (40, 160))
FAILED = _answered(Result.REFUSED, "1001", "base service failed", (300, 2400))
NOTHING = Try(Result.UNCONFIRMED, "", TIMED_OUT, "", (5000, 5030))
BAD_GATEWAY = Try(Result.UNCONFIRMED, "", f"HTTP 502: {NO_JSON}", "<html><h1>502 Bad Gateway</h1></html>", (900, 3200))
NOT_SENT = Try(Result.NOT_SENT, "", NOT_CONNECTED, "", (3000, 3020))
DIED = Try(Result.PENDING, "", "", "", None)


class Fate(NamedTuple):
    outcome: str
    tries: tuple[Try, ...] = ()
    ended: bool = False  # whether the vendor said that it was over
    seen: bool = True  # whether a screen showed it


# How often in office hours, and how often outside them
FATES = [
    (634.0, 320.0, Fate(Outcome.REJECTED, (ACCEPTED,))),
    (7.0, 3.0, Fate(Outcome.REJECTED, (EXPIRED, ACCEPTED))),
    (6.0, 3.0, Fate(Outcome.REJECTED, (FAILED, ACCEPTED))),
    (3.0, 2.0, Fate(Outcome.REJECTED, (NOT_SENT, ACCEPTED))),
    (2.0, 1.0, Fate(Outcome.REJECTED, (NOTHING, ACCEPTED))),
    (194.0, 480.0, Fate(Outcome.MISSED)),
    (3.0, 6.0, Fate(Outcome.MISSED, (NOT_SENT,))),
    (6.0, 20.0, Fate(Outcome.MISSED, seen=False)),
    (40.0, 60.0, Fate(Outcome.ENDED, ended=True)),
    (8.0, 6.0, Fate(Outcome.ENDED, (OVER,), ended=True)),
    (1.0, 8.0, Fate(Outcome.ENDED, ended=True, seen=False)),
    (14.0, 9.0, Fate(Outcome.REFUSED, (OVER,))),
    (6.0, 4.0, Fate(Outcome.REFUSED, (LIMIT,))),
    (4.0, 3.0, Fate(Outcome.REFUSED, (FAILED, FAILED))),
    (2.0, 2.0, Fate(Outcome.REFUSED, (NOT_ALLOWED,))),
    (13.0, 10.0, Fate(Outcome.UNCONFIRMED, (NOTHING,))),
    (5.0, 3.0, Fate(Outcome.UNCONFIRMED, (BAD_GATEWAY,))),
    (1.6, 1.0, Fate(Outcome.UNCONFIRMED, (FAILED, NOTHING))),
    (0.4, 0.2, Fate(Outcome.UNCONFIRMED, (DIED,))),
    (50.0, 60.0, Fate(Outcome.RULE)),
]
_FATES = [fate for *_, fate in FATES]
_OFTEN = {
    True: list(accumulate(often for often, _, _ in FATES)),
    False: list(accumulate(often for _, often, _ in FATES)),
}


def draw(how_many: int, in_office_hours: bool, rng: Random) -> list[Fate]:
    return rng.choices(_FATES, cum_weights=_OFTEN[in_office_hours], k=how_many)


def until_clicked(rng: Random) -> timedelta:
    """How long somebody takes from the callback to the click: mostly some seconds, well within any ring window."""
    return timedelta(seconds=min(max(rng.lognormvariate(1.6, 0.65), 1.1), 36.0))


def until_shown(rng: Random) -> timedelta:
    """From the callback to the first screen: tens of milliseconds, seldom more, and always less than to a click."""
    return timedelta(seconds=min(0.014 + rng.expovariate(40) + (rng.random() < 0.02) * rng.random() * 0.8, 1.0))


def until_again(rng: Random) -> timedelta:
    """From an answer to the next try."""
    return timedelta(seconds=rng.uniform(0.4, 4))


def until_ended(rng: Random) -> timedelta:
    """From the callback, or the last answer, to the vendor's word that the call is over."""
    return timedelta(seconds=rng.uniform(4, 14))


def takes(try_: Try, rng: Random) -> int | None:
    """Milliseconds, more often short than long."""
    if try_.milliseconds is None:
        return None
    shortest, longest = try_.milliseconds
    return shortest + int((longest - shortest) * rng.random() ** 3)


def screens(how_many: int, rng: Random) -> Iterator[tuple[int, int]]:
    """On how many screens calls were, and on how many of these with sound."""
    for number in rng.choices(range(1, 7), (12, 26, 28, 18, 10, 6), k=how_many):
        yield number, min(number, int(rng.random() * (number + 1)))
