"""Each reason that reading gives is one that can be said in the reader's language."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from django.utils import translation

from calls.vendor import envelope, notices, reasons
from calls.vendor.envelope import Unreadable, key_bytes
from calls.vendor.sandbox import call_notice

from ..factory import AES_KEY, encrypted

pytestmark = pytest.mark.engineless

KEY = key_bytes(AES_KEY)
NAMED = {"account": "wxid", "contact": "chat_wxid", "voipid": "voipid", "kind": "type"}
MAPPING = notices.Mapping(**{name: notices.paths(path) for name, path in NAMED.items()})


def reason_for_body(body: bytes) -> str:
    with pytest.raises(Unreadable) as raised:
        envelope.open_body(body, KEY)
    return str(raised.value)


def reasons_for_notices() -> set[str]:
    found = set()
    bad: list[Any] = [None, [], True, "\N{REPLACEMENT CHARACTER}", " " * 3, "x" * 65]
    for name, value in itertools.product(NAMED.values(), bad):
        notice: dict[str, Any] = call_notice("168", "788", 5)
        notice["data"][0][name] = value
        found |= set(notices.read([notice], MAPPING).reasons)
    return found


def test_every_reason_of_reading_is_known() -> None:
    given = {reason_for_body(body) for body in (b"?", b"x" * 32, encrypted(b"no JSON", KEY))} | reasons_for_notices()
    of_what_went_wrong_here = {
        "reading it failed",
        "it could not be stored",
        "nothing is known of its vendor app any more that could open it",
    }
    assert given == set(reasons.REASONS) - of_what_went_wrong_here


def test_several_reasons_are_said_one_after_the_other() -> None:
    with translation.override("en"):
        assert reasons.in_words("no account; no call id") == "no account; no call id"


@pytest.mark.parametrize("reason", ["", "; ", "it could not be stored: DataError", "<b>whatever: it is</b>"])
def test_what_is_not_ours_stays_as_it_is(reason: str) -> None:
    with translation.override("en"):
        assert reasons.in_words(reason) == reason
