"""The service that rejects a call: claim it, put the attempt on record, ask the vendor, record the answer, show it."""

from __future__ import annotations

import logging
import time

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext_noop

from . import metrics, patience, tokens
from .live import publish
from .models import Attempt, Call, Person
from .prepared import ById
from .results import ANSWERED, DATABASE_AWAY, Result, record
from .vendor import client
from .vendor.errors import TOKEN_CODES

logger = logging.getLogger(__name__)

# Seconds for all that the vendor is asked. Half a second is left for the database, so that the whole takes under 8 s, which
# is shorter than a claim lasts.
WITHIN = 7.5
NO_TIME_LEFT = gettext_noop("no time left")

# Seconds before a second and a third try of what was never sent: a vendor that restarts costs nobody a click.
PAUSES = (0.3, 0.6)

CALLS = ById(Call.objects.select_related("account__app", "contact"))


class NothingSent(Exception):
    """The database could not take the claim, so the vendor was not asked."""


class NotOnRecord(Exception):
    """The vendor was asked, and the database could not take the result yet. It will be saved; `attempt` holds it."""

    def __init__(self, attempt: Attempt) -> None:
        super().__init__(str(attempt))
        self.attempt = attempt


class _Countdown:
    def __init__(self, seconds: float) -> None:
        self._ends_at = time.monotonic() + seconds

    def allows(self, seconds: float) -> bool:
        return self._ends_at - time.monotonic() > seconds

    def __call__(self) -> float:
        """The seconds left. Raises: client.NotSent once there are none."""
        if (remaining := self._ends_at - time.monotonic()) > 0:
            return remaining
        raise client.NotSent(NO_TIME_LEFT)


@patience.within(patience.HURRIED)
def reject(pk: int, person: Person, reason: str = "") -> bool:
    """Reject a call in this person's name, for this reason or for none in particular. Takes up to 8 s, and everyone watches
    meanwhile.

    Returns: whether this person's click was the one that counted; if not, somebody else has rejected the call or is
    rejecting it, or it is over.
    Raises: NothingSent, NotOnRecord where the database is locked or away; it may have been waited for as well.
    """
    left = _Countdown(WITHIN)
    try:
        claimed = _claim(pk, person, reason)
    except DATABASE_AWAY as error:
        connection.close_if_unusable_or_obsolete()
        logger.error("call %d could not be claimed, so nothing was sent: %s", pk, error)
        raise NothingSent from error
    if claimed is None:
        return False
    call, result = claimed
    publish.calls_changed([pk])
    try:
        _ask(call, result, left)
    finally:
        on_record = record.put(result)
    if not on_record:
        raise NotOnRecord(result.attempts[-1])
    return True


@transaction.atomic
def _claim(pk: int, person: Person, reason: str) -> tuple[Call, Result] | None:
    """The call, and the beginning of what the claim will come to; None where the call can't be claimed."""
    for result in record.kept_of(pk):  # an answer that the database didn't have yet may say that it is rejected
        result.save()
    claimed_until = Call.objects.claim(pk, person)
    if claimed_until is None:
        return None
    attempt = _new_attempt(pk, person, reason)
    [call] = CALLS.fetch([pk])
    return call, Result(pk, claimed_until, [attempt])


def _new_attempt(pk: int, person: Person, reason: str) -> Attempt:
    return Attempt.objects.create(call_id=pk, person=person, reason=reason, started_at=timezone.now())


def _ask(call: Call, result: Result, left: _Countdown) -> None:
    """Ask the vendor, again where that can do no harm, and note what came of it in the result.

    What can do no harm: what was never sent; and, once, what was refused for its token, with a new one. Nothing else. The
    vendor's answer is the outcome (showdoc yunzhenji 11490699351629719), and of its codes (11490695550514533) a repeat over
    the limit (407) makes it worse; wrong credentials, addresses and parameters (101 to 103, 113, 114, 405, 406) stay wrong;
    and a base service that failed (1001) leaves open how far it got. There the agent decides, who sees the reason on the
    card at once. Where no answer came the call may be rejected, so that isn't repeated either.
    """
    pauses = iter(PAUSES)
    refused_token = ""
    while True:
        attempt = result.attempts[-1]
        token = _carry_out(attempt, call, left, refused_token)
        pause: float | None = None
        if attempt.result == Attempt.Result.NOT_SENT:
            pause = next(pauses, None)
        elif attempt.errcode in TOKEN_CODES and token and not (refused_token or call.account.app.access_token):
            refused_token, pause = token, 0
        if pause is None or not left.allows(pause) or not _begin_another(result, attempt, pause):
            return


def _begin_another(result: Result, last: Attempt, pause: float) -> bool:
    """Put the last attempt's result and, after a pause in seconds, another attempt on record.

    Returns: whether it may be carried out; not where the call has ended or stopped ringing meanwhile, or the claim isn't
    ours any more, or the database can't be asked.
    """
    try:
        last.save(update_fields=ANSWERED)
        time.sleep(pause)
        with transaction.atomic():
            ours = Call.objects.filter(pk=result.call_id, claimed_until=result.claimed_until)
            if not ours.filter(rings_until__gt=timezone.now(), ended_at=None).exists():
                return False
            another = _new_attempt(result.call_id, last.person, last.reason)
    except DATABASE_AWAY:
        connection.close_if_unusable_or_obsolete()
        return False
    result.attempts.append(another)
    return True


def _carry_out(attempt: Attempt, call: Call, left: _Countdown, not_this_token: str) -> str:
    """Make the request that this attempt stands for, and note in it what came of that.

    Returns: the token that was used; empty where it didn't come to that.
    """
    token = ""
    started = time.monotonic()
    try:
        token = tokens.current(call.account.app, left, not_this_token)
        _let_go_of_the_connection()
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
    metrics.REJECTS.labels(attempt.result).inc()
    return token


def _let_go_of_the_connection() -> None:
    """While the vendor is waited for. PostgreSQL has few, and very many people may click while the vendor hangs."""
    if not connection.in_atomic_block:
        connection.close()


def _note_answer(attempt: Attempt, answer: client.Answer) -> None:
    attempt.result = Attempt.Result.ACCEPTED if answer.accepted else Attempt.Result.REFUSED
    attempt.answered_at = timezone.now()
    attempt.errcode = answer.errcode
    attempt.message = answer.message
    attempt.answer = answer.raw
    attempt.milliseconds = answer.milliseconds
