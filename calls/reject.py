"""The service that rejects a call: claim it, put the attempt on record, ask the vendor, record the answer, show it."""

from __future__ import annotations

import time
from collections.abc import Callable

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from . import metrics, tokens
from .live import publish
from .models import Attempt, Call, Person
from .vendor import client
from .vendor.errors import TOKEN_CODES

# Seconds for all that the vendor is asked. Half a second is left for the database, so that the whole takes under 8 s, which
# is shorter than a claim lasts.
WITHIN = 7.5
NO_TIME_LEFT = gettext_noop("no time left")


def reject(pk: int, person: Person) -> bool:
    """Reject a call in this person's name. Takes up to 8 s, and everyone watches meanwhile.

    Returns: whether this person's click was the one that counted; if not, somebody else has rejected the call or is
    rejecting it, or it is over.
    """
    left = _countdown(WITHIN)
    with transaction.atomic():
        claimed_until = Call.objects.claim(pk, person)
        if claimed_until is None:
            return False
        attempt = _new_attempt(pk, person)
    publish.calls_changed([pk])
    try:
        call = Call.objects.select_related("account__app", "contact").get(pk=pk)
        token = _carry_out(attempt, call, left)
        if attempt.errcode in TOKEN_CODES and token and not call.account.app.access_token:
            _carry_out(_new_attempt(pk, person), call, left, not_this_token=token)
    finally:
        Call.objects.settle(pk, claimed_until)
        publish.calls_changed([pk])
    return True


def _new_attempt(pk: int, person: Person) -> Attempt:
    return Attempt.objects.create(call_id=pk, person=person, started_at=timezone.now())


def _carry_out(attempt: Attempt, call: Call, left: Callable[[], float], not_this_token: str = "") -> str:
    """Make the request that this attempt stands for, and put its result on record.

    Returns: the token that was used; empty where it didn't come to that.
    """
    token = ""
    started = time.monotonic()
    try:
        token = tokens.current(call.account.app, left, not_this_token)
        answer = client.reject_call(
            tokens.credentials_of(call.account.app),
            token,
            wxid=call.account.wxid,
            chat_wxid=call.contact.wxid,
            voipid=call.voipid,
            kind=call.kind,
            within=left(),
        )
        _note_answer(attempt, answer)
    except tokens.TokenRefused as refused:
        _note_answer(attempt, refused.answer)
    except client.NotSent as error:
        attempt.result, attempt.message = Attempt.Result.NOT_SENT, str(error)
    except client.NoAnswer as error:
        attempt.result, attempt.message, attempt.answer = Attempt.Result.UNCONFIRMED, str(error), error.raw
    if attempt.milliseconds is None:
        attempt.milliseconds = round((time.monotonic() - started) * 1000)
    attempt.save(update_fields=["result", "errcode", "message", "answer", "answered_at", "milliseconds"])
    metrics.REJECTS.labels(attempt.result).inc()
    return token


def _note_answer(attempt: Attempt, answer: client.Answer) -> None:
    attempt.result = Attempt.Result.ACCEPTED if answer.accepted else Attempt.Result.REFUSED
    attempt.answered_at = timezone.now()
    attempt.errcode = answer.errcode
    attempt.message = answer.message
    attempt.answer = answer.raw
    attempt.milliseconds = answer.milliseconds


def _countdown(seconds: float) -> Callable[[], float]:
    """A function that tells the seconds left, and raises client.NotSent once there are none."""
    at = time.monotonic() + seconds

    def left() -> float:
        if (remaining := at - time.monotonic()) > 0:
            return remaining
        raise client.NotSent(NO_TIME_LEFT)

    return left
