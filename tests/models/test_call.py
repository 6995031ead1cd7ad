from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calls.live.render import CALLS
from calls.models import Attempt, Call
from calls.models.call import CLAIM_LASTS, RECEIPTS_WITHIN, RECENT, Confirmation, outcome_of
from calls.models.person import Sight

from ..factory import make_account, make_app, make_attempt, make_call, make_contact, make_person, make_team
from ..threads import at_once

Outcome, Result, Status = Call.Outcome, Attempt.Result, Call.Status

SECOND = timedelta(seconds=1)

# What is stored: seconds that it still rings, seconds that a claim still holds, ended, outcome; and what follows from it:
# status, whether the board is done with it, whether it can be rejected, and in how many seconds the card changes by itself.
MOMENTS = [
    pytest.param(60, None, False, Outcome.MISSED, Status.RINGING, False, True, 60, id="rings"),
    pytest.param(60, None, False, Outcome.REFUSED, Status.RINGING, False, True, 60, id="refused-and-rings-on"),
    pytest.param(60, 5, False, Outcome.UNCONFIRMED, Status.REJECTING, False, False, 5, id="claimed"),
    pytest.param(-1, 5, False, Outcome.UNCONFIRMED, Status.REJECTING, False, False, 5, id="claim-outlives-the-window"),
    pytest.param(60, -1, False, Outcome.UNCONFIRMED, Status.UNCONFIRMED, False, True, 60, id="claim-ran-out"),
    pytest.param(60, None, False, Outcome.UNCONFIRMED, Status.UNCONFIRMED, False, True, 60, id="unconfirmed"),
    pytest.param(-1, None, False, Outcome.UNCONFIRMED, Status.UNCONFIRMED, True, False, None, id="unconfirmed-for-good"),
    pytest.param(-1, -1, False, Outcome.UNCONFIRMED, Status.UNCONFIRMED, True, False, None, id="left-by-the-dead"),
    pytest.param(-1, None, False, Outcome.MISSED, Status.MISSED, True, False, None, id="missed"),
    pytest.param(-1, None, False, Outcome.REFUSED, Status.MISSED, True, False, None, id="refused-for-good"),
    pytest.param(60, None, True, Outcome.ENDED, Status.ENDED, True, False, None, id="ended"),
    pytest.param(-1, None, True, Outcome.ENDED, Status.ENDED, True, False, None, id="ended-long-ago"),
    pytest.param(60, 5, True, Outcome.UNCONFIRMED, Status.ENDED, True, False, None, id="ended-while-claimed"),
    pytest.param(60, None, False, Outcome.REJECTED, Status.REJECTED, True, False, None, id="rejected"),
    pytest.param(-1, None, False, Outcome.REJECTED, Status.REJECTED, True, False, None, id="rejected-long-ago"),
    pytest.param(60, 5, False, Outcome.REJECTED, Status.REJECTED, True, False, None, id="rejected-under-a-claim"),
    pytest.param(60, None, True, Outcome.REJECTED, Status.REJECTED, True, False, None, id="rejected-and-ended"),
    pytest.param(60, None, False, Outcome.RULE, Status.REJECTED, True, False, None, id="rejected-by-a-rule"),
]
STORED_AND_FOLLOWS = "rings, claimed, ended, outcome, status, is_over, can_reject, changes_in"


def call_at(rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome) -> Call:
    now = timezone.now()
    return Call(
        received_at=now - 60 * SECOND,
        rings_until=now + rings * SECOND,
        claimed_until=None if claimed is None else now + claimed * SECOND,
        ended_at=now if ended else None,
        outcome=outcome,
    )


def stored_at(rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome) -> Call:
    call = call_at(rings, claimed, ended, outcome)
    call.account = make_account()
    call.contact = make_contact(call.account.app)
    call.voipid, call.kind = "1", Call.Kind.VOICE
    call.save()
    return call


@pytest.mark.parametrize(STORED_AND_FOLLOWS, MOMENTS)
def test_status_follows_from_the_outcome_and_the_clock(
    rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome,
    status: str, is_over: bool, can_reject: bool, changes_in: int | None,
) -> None:  # fmt: skip
    assert call_at(rings, claimed, ended, outcome).status == status


@pytest.mark.parametrize(STORED_AND_FOLLOWS, MOMENTS)
def test_the_board_is_done_with_a_call_that_nothing_more_can_happen_to(
    rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome,
    status: str, is_over: bool, can_reject: bool, changes_in: int | None,
) -> None:  # fmt: skip
    assert call_at(rings, claimed, ended, outcome).is_over == is_over


@pytest.mark.parametrize(STORED_AND_FOLLOWS, MOMENTS)
def test_only_a_call_that_rings_unclaimed_can_be_rejected(
    rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome,
    status: str, is_over: bool, can_reject: bool, changes_in: int | None,
) -> None:  # fmt: skip
    assert call_at(rings, claimed, ended, outcome).can_reject == can_reject


@pytest.mark.parametrize(STORED_AND_FOLLOWS, MOMENTS)
def test_a_card_changes_by_itself_when_its_claim_or_its_window_runs_out(
    rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome,
    status: str, is_over: bool, can_reject: bool, changes_in: int | None,
) -> None:  # fmt: skip
    call = call_at(rings, claimed, ended, outcome)
    expected = {None: None, rings: call.rings_until, claimed: call.claimed_until}[changes_in]
    assert call.changes_at == expected


@pytest.mark.django_db
@pytest.mark.parametrize(STORED_AND_FOLLOWS, MOMENTS)
def test_a_call_is_among_the_active_until_it_is_over(
    rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome,
    status: str, is_over: bool, can_reject: bool, changes_in: int | None,
) -> None:  # fmt: skip
    stored_at(rings, claimed, ended, outcome)
    assert Call.objects.active(timezone.now()).exists() == (not is_over)


@pytest.mark.django_db
@pytest.mark.parametrize(STORED_AND_FOLLOWS, MOMENTS)
def test_a_call_is_among_the_ended_once_it_is_over(
    rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome,
    status: str, is_over: bool, can_reject: bool, changes_in: int | None,
) -> None:  # fmt: skip
    stored_at(rings, claimed, ended, outcome)
    assert Call.objects.over(timezone.now()).exists() == is_over


@pytest.mark.django_db
@pytest.mark.parametrize(STORED_AND_FOLLOWS, MOMENTS)
def test_a_claim_succeeds_just_when_the_card_offers_it(
    rings: int, claimed: int | None, ended: bool, outcome: Call.Outcome,
    status: str, is_over: bool, can_reject: bool, changes_in: int | None,
) -> None:  # fmt: skip
    call = stored_at(rings, claimed, ended, outcome)
    got = Call.objects.claim(call.pk, make_person(password=None))
    assert (got is not None) == can_reject


@pytest.mark.parametrize(
    ("results", "ended", "outcome"),
    [
        ([], False, Outcome.MISSED),
        ([], True, Outcome.ENDED),
        ([Result.ACCEPTED], False, Outcome.REJECTED),
        ([Result.ACCEPTED], True, Outcome.REJECTED),
        ([Result.REFUSED, Result.ACCEPTED], False, Outcome.REJECTED),
        ([Result.ACCEPTED, Result.UNCONFIRMED, Result.REFUSED], False, Outcome.REJECTED),
        ([Result.UNCONFIRMED], False, Outcome.UNCONFIRMED),
        ([Result.PENDING], False, Outcome.UNCONFIRMED),
        ([Result.UNCONFIRMED, Result.REFUSED], True, Outcome.UNCONFIRMED),
        ([Result.REFUSED], True, Outcome.ENDED),
        ([Result.NOT_SENT], True, Outcome.ENDED),
        ([Result.REFUSED], False, Outcome.REFUSED),
        ([Result.REFUSED, Result.REFUSED], False, Outcome.REFUSED),
        ([Result.REFUSED, Result.NOT_SENT], False, Outcome.MISSED),
        ([Result.NOT_SENT], False, Outcome.MISSED),
    ],
)
def test_the_outcome_is_the_first_that_applies(results: list[str], ended: bool, outcome: Call.Outcome) -> None:
    assert outcome_of(results, ended) == outcome


# Claiming


@pytest.mark.django_db
def test_a_claim_holds_for_ten_seconds() -> None:
    before = timezone.now()
    until = Call.objects.claim(make_call().pk, make_person(password=None))
    assert until is not None
    assert before + timedelta(seconds=10) <= until <= timezone.now() + timedelta(seconds=10)


@pytest.mark.django_db
def test_a_claim_puts_the_person_on_record() -> None:
    call, person = make_call(), make_person(password=None)
    until = Call.objects.claim(call.pk, person)
    call.refresh_from_db()
    assert (call.claimed_by, call.claimed_until) == (person, until)


@pytest.mark.django_db
def test_a_claimed_call_is_unconfirmed_in_history_should_its_holder_die() -> None:
    call = make_call()
    Call.objects.claim(call.pk, make_person(password=None))
    call.refresh_from_db()
    assert call.outcome == Outcome.UNCONFIRMED


@pytest.mark.django_db
def test_a_claim_makes_a_newer_card() -> None:
    call = make_call()
    Call.objects.claim(call.pk, make_person(password=None))
    call.refresh_from_db()
    assert call.version == 1


@pytest.mark.django_db
def test_a_claim_that_failed_changes_nothing() -> None:
    call, first = make_call(), make_person(password=None)
    until = Call.objects.claim(call.pk, first)
    assert Call.objects.claim(call.pk, make_person(password=None)) is None
    call.refresh_from_db()
    assert (call.claimed_by, call.claimed_until, call.version) == (first, until, 1)


@pytest.mark.django_db
def test_a_claim_takes_no_other_call() -> None:
    other = make_call()
    Call.objects.claim(make_call().pk, make_person(password=None))
    other.refresh_from_db()
    assert (other.claimed_until, other.outcome) == (None, Outcome.MISSED)


@pytest.mark.django_db(transaction=True)
def test_of_twenty_claims_at_once_one_succeeds() -> None:
    call = make_call()
    people = [make_person(password=None) for _ in range(20)]
    claims = at_once(20, lambda number: Call.objects.claim(call.pk, people[number]))
    winners = [person for person, claim in zip(people, claims, strict=True) if claim]
    call.refresh_from_db()
    assert winners == [call.claimed_by]


# Settling


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (Result.ACCEPTED, Outcome.REJECTED),
        (Result.REFUSED, Outcome.REFUSED),
        (Result.UNCONFIRMED, Outcome.UNCONFIRMED),
        (Result.PENDING, Outcome.UNCONFIRMED),
        (Result.NOT_SENT, Outcome.MISSED),
    ],
)
def test_settling_stores_the_outcome_of_the_attempts(result: Attempt.Result, outcome: Call.Outcome) -> None:
    call, person = make_call(), make_person(password=None)
    until = Call.objects.claim(call.pk, person)
    assert until
    make_attempt(call, person, result=result)
    Call.objects.settle(call.pk, until)
    call.refresh_from_db()
    assert call.outcome == outcome


@pytest.mark.django_db
def test_settling_gives_up_the_claim_and_keeps_who_tried() -> None:
    call, person = make_call(), make_person(password=None)
    until = Call.objects.claim(call.pk, person)
    assert until
    Call.objects.settle(call.pk, until)
    call.refresh_from_db()
    assert (call.claimed_until, call.claimed_by, call.version) == (None, person, 2)


@pytest.mark.django_db
def test_a_late_settle_leaves_the_claim_of_somebody_else() -> None:
    first, second = make_person(password=None), make_person(password=None)
    call = make_call(claimed_by=first, claimed_until=timezone.now() - SECOND, outcome=Outcome.UNCONFIRMED)
    left_over = call.claimed_until
    assert left_over
    until = Call.objects.claim(call.pk, second)
    make_attempt(call, second, result=Result.PENDING)
    make_attempt(call, first, result=Result.REFUSED)
    Call.objects.settle(call.pk, left_over)
    settled = Call.objects.get()
    assert (settled.claimed_by, settled.claimed_until, settled.status) == (second, until, Status.REJECTING)


@pytest.mark.django_db
def test_a_late_acceptance_counts_under_the_claim_of_somebody_else() -> None:
    first, second = make_person(password=None), make_person(password=None)
    call = make_call(claimed_by=first, claimed_until=timezone.now() - SECOND, outcome=Outcome.UNCONFIRMED)
    left_over = call.claimed_until
    assert left_over
    Call.objects.claim(call.pk, second)
    make_attempt(call, second, result=Result.PENDING)
    make_attempt(call, first, result=Result.ACCEPTED)
    Call.objects.settle(call.pk, left_over)
    assert Call.objects.get().status == Status.REJECTED


# Ending


@pytest.mark.django_db
def test_an_end_notice_ends_a_ringing_call() -> None:
    call, now = make_call(), timezone.now()
    Call.objects.end(call.account_id, call.voipid, now)
    ended = Call.objects.get()
    assert (ended.ended_at, ended.outcome, ended.status) == (now, Outcome.ENDED, Status.ENDED)


@pytest.mark.django_db
def test_an_end_notice_makes_a_newer_card_and_tells_which() -> None:
    call = make_call()
    assert Call.objects.end(call.account_id, call.voipid, timezone.now()) == call.pk
    call.refresh_from_db()
    assert call.version == 1


@pytest.mark.django_db
def test_an_end_notice_for_an_unknown_call_is_of_no_consequence() -> None:
    assert Call.objects.end(make_account().pk, "nobody's", timezone.now()) is None


@pytest.mark.django_db
def test_the_first_of_two_end_notices_counts() -> None:
    call, now = make_call(), timezone.now()
    Call.objects.end(call.account_id, call.voipid, now)
    assert Call.objects.end(call.account_id, call.voipid, now + SECOND) is None
    call.refresh_from_db()
    assert (call.ended_at, call.version) == (now, 1)


@pytest.mark.django_db
def test_an_end_notice_spares_the_same_call_id_at_another_account() -> None:
    app = make_app()
    call = make_call(make_account(app), voipid="77")
    other = make_call(make_account(app), voipid="77")
    Call.objects.end(call.account_id, "77", timezone.now())
    other.refresh_from_db()
    assert other.ended_at is None


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [Outcome.MISSED, Outcome.REFUSED])
def test_a_call_that_nobody_rejected_counts_as_ended(outcome: Call.Outcome) -> None:
    call = make_call(outcome=outcome)
    Call.objects.end(call.account_id, call.voipid, timezone.now())
    call.refresh_from_db()
    assert call.outcome == Outcome.ENDED


@pytest.mark.django_db
@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.RULE, Outcome.UNCONFIRMED])
def test_an_end_notice_keeps_what_became_of_a_call(outcome: Call.Outcome) -> None:
    call = make_call(outcome=outcome)
    Call.objects.end(call.account_id, call.voipid, timezone.now())
    call.refresh_from_db()
    assert call.outcome == outcome


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("result", "outcome"),
    [
        (Result.ACCEPTED, Outcome.REJECTED),
        (Result.UNCONFIRMED, Outcome.UNCONFIRMED),
        (Result.REFUSED, Outcome.ENDED),
        (Result.NOT_SENT, Outcome.ENDED),
    ],
)
def test_a_call_that_ended_during_a_claim_is_settled_by_the_answer(result: str, outcome: Call.Outcome) -> None:
    call, person = make_call(), make_person(password=None)
    until = Call.objects.claim(call.pk, person)
    assert until
    make_attempt(call, person, result=result)
    Call.objects.end(call.account_id, call.voipid, timezone.now())
    Call.objects.settle(call.pk, until)
    call.refresh_from_db()
    assert call.outcome == outcome


# Queries


@pytest.mark.django_db
def test_people_see_the_calls_of_their_teams_accounts() -> None:
    ours, theirs = make_team(), make_team()
    seen = make_call(make_account(team=ours))
    make_call(make_account(team=theirs))
    make_call(make_account(team=None))
    assert list(Call.objects.seen_by(Sight(all=False, teams=frozenset({ours.pk})))) == [seen]


@pytest.mark.django_db
def test_who_is_in_two_teams_sees_both_their_calls() -> None:
    teams = make_team(), make_team()
    calls = {make_call(make_account(team=team)) for team in teams}
    assert set(Call.objects.seen_by(Sight(all=False, teams=frozenset(team.pk for team in teams)))) == calls


@pytest.mark.django_db
def test_who_is_in_no_team_sees_no_call_not_even_of_accounts_in_none() -> None:
    make_call(make_account(team=None))
    make_call(make_account(team=make_team()))
    assert not Call.objects.seen_by(Sight(all=False)).exists()


@pytest.mark.django_db
def test_who_sees_all_sees_calls_of_accounts_in_no_team_too() -> None:
    calls = {make_call(make_account(team=None)), make_call(make_account(team=make_team()))}
    assert set(Call.objects.seen_by(Sight(all=True))) == calls


@pytest.mark.django_db
def test_calls_that_ended_long_ago_leave_the_board() -> None:
    now = timezone.now()
    recent = make_call(received_at=now - RECENT + timedelta(minutes=1))
    make_call(received_at=now - RECENT - timedelta(minutes=1))
    assert list(Call.objects.recently_over(now)) == [recent]


@pytest.mark.django_db
def test_a_claim_is_never_longer_than_the_active_calls_look_back() -> None:
    """The rings_until condition that lets an index be used must not leave out a call that is being rejected."""
    now = timezone.now()
    call = make_call(received_at=now - 60 * SECOND, rings_until=now + timedelta(milliseconds=200))
    until = Call.objects.claim(call.pk, make_person(password=None))
    assert until
    assert Call.objects.active(until - timedelta(microseconds=1)).exists()
    assert until - call.rings_until < CLAIM_LASTS


@pytest.mark.django_db
def test_calls_before_one_are_the_older_ones_then_by_id() -> None:
    account, at = make_account(), timezone.now()
    oldest = make_call(account, at - SECOND)
    same = [make_call(account, at) for _ in range(3)]
    make_call(account, at + SECOND)
    after = Call.objects.for_history().before(same[2].received_at, same[2].pk)
    assert list(after) == [same[1], same[0], oldest]


@pytest.mark.django_db
def test_a_card_counts_the_earlier_calls_of_the_same_contact() -> None:
    account = make_account()
    contact = make_contact(account.app)
    calls = [make_call(account, contact=contact) for _ in range(3)]
    make_call(account)
    found = Call.objects.for_card().in_bulk([call.pk for call in calls])
    assert [getattr(found[call.pk], "earlier", None) for call in calls] == [0, 1, 2]


@pytest.mark.django_db
def test_a_card_knows_of_the_contacts_calls_of_the_last_day_and_minutes_and_of_the_last_one() -> None:
    account, now = make_account(), timezone.now()
    contact = make_contact(account.app)
    ago = [timedelta(days=9), timedelta(hours=25), timedelta(hours=23), timedelta(minutes=9), timedelta()]
    calls = [make_call(account, now - each, contact=contact, outcome=Call.Outcome.REJECTED) for each in ago]
    make_call(account, now)  # of somebody else
    Call.objects.filter(pk=calls[3].pk).update(outcome=Call.Outcome.ENDED)
    found = {call.pk: call for call in CALLS.fetch([call.pk for call in calls])}
    first, last = found[calls[0].pk], found[calls[4].pk]
    assert (first.earlier, first.earlier_in_a_day, first.earlier_in_a_row) == (0, 0, 0)
    assert (first.last_outcome, first.last_received_at, first.picture) == (None, None, None)
    assert (last.earlier, last.earlier_in_a_day, last.earlier_in_a_row) == (4, 2, 1)
    assert (last.last_outcome, last.last_received_at) == ("ended", calls[3].received_at)
    assert [found[call.pk].earlier_in_a_day for call in calls] == [0, 0, 1, 1, 2]


@pytest.mark.django_db
def test_what_a_card_shows_takes_two_queries(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    person = make_person(password=None, name="Ada")
    for _ in range(5):
        make_attempt(make_call(make_account(team=make_team()), claimed_by=person), person)
    with django_assert_num_queries(2):
        shown = [f"{c.account.team} {c.contact} {c.claimed_by} {c.last_attempt}" for c in Call.objects.for_card()]
    assert len(shown) == 5


@pytest.mark.django_db
def test_the_last_attempt_is_the_latest() -> None:
    call, person = make_call(), make_person(password=None)
    make_attempt(call, person, result=Result.REFUSED)
    latest = make_attempt(call, person)
    assert call.last_attempt == latest


@pytest.mark.django_db
def test_the_time_to_reject_ends_with_the_vendors_acceptance() -> None:
    call, person = make_call(), make_person(password=None)
    make_attempt(call, person, started_at=call.received_at + 2 * SECOND, milliseconds=380)
    assert call.rejected_after == timedelta(seconds=2, milliseconds=380)


@pytest.mark.django_db
def test_a_call_that_the_vendor_refused_to_reject_has_no_time_to_reject() -> None:
    call = make_call()
    make_attempt(call, make_person(password=None), result=Result.REFUSED)
    assert call.rejected_after is None


# What is stored


@pytest.mark.django_db
def test_a_call_is_stored_once_per_account() -> None:
    account = make_account()
    make_call(account, voipid="5")
    with pytest.raises(IntegrityError):
        make_call(account, voipid="5")


@pytest.mark.django_db
def test_two_accounts_may_have_calls_of_the_same_id() -> None:
    app = make_app()
    make_call(make_account(app), voipid="5")
    make_call(make_account(app), voipid="5")
    assert Call.objects.filter(voipid="5").count() == 2


@pytest.mark.django_db
@pytest.mark.parametrize("voipid", [str(2**63 + 1), "007", "a-b-c"])
def test_a_call_id_is_kept_to_the_letter(voipid: str) -> None:
    make_call(voipid=voipid)
    assert Call.objects.get().voipid == voipid


# Seen or not

SEEN = {"shown_at": timezone.now(), "screens": 1}


def test_a_call_that_no_screen_confirmed_was_seen_by_nobody() -> None:
    assert call_at(-1, None, False, Outcome.MISSED).unseen


def test_a_call_that_a_screen_confirmed_was_seen() -> None:
    call = call_at(-1, None, False, Outcome.MISSED)
    call.screens = 1
    assert not call.unseen


def test_of_a_call_from_before_there_were_receipts_nobody_knows_whether_it_was_seen() -> None:
    call = call_at(-1, None, False, Outcome.MISSED)
    call.screens = None
    assert not call.unseen


def test_of_a_call_that_rings_on_nothing_is_said_yet() -> None:
    assert not call_at(60, None, False, Outcome.MISSED).unseen


def test_a_call_that_somebody_tried_to_reject_was_seen() -> None:
    call = call_at(-1, None, False, Outcome.REFUSED)
    call.claimed_by_id = 1
    assert not call.unseen


def test_a_call_that_a_rule_rejected_need_not_be_seen() -> None:
    assert not call_at(60, None, False, Outcome.RULE).unseen


def test_of_a_call_that_ended_a_moment_ago_the_receipts_may_be_on_their_way() -> None:
    call = call_at(60, None, True, Outcome.ENDED)
    call.received_at = timezone.now() - SECOND
    assert not call.unseen


@pytest.mark.django_db
def test_calls_that_ring_unseen_are_found() -> None:
    now = timezone.now()
    account, person = make_account(), make_person(password=None)
    unseen = make_call(account, now - RECEIPTS_WITHIN - SECOND)
    make_call(account, now - RECEIPTS_WITHIN + SECOND)  # may still be confirmed
    make_call(account, now - 10 * SECOND, **SEEN)
    make_call(account, now - 10 * SECOND, claimed_by=person)  # whoever clicked has seen it
    make_call(account, now - 61 * SECOND)  # rings no more
    make_call(account, now - 10 * SECOND, ended_at=now)
    make_call(account, now - 10 * SECOND, outcome=Outcome.RULE)
    assert list(Call.objects.unseen(now)) == [unseen]


@pytest.mark.django_db
def test_the_first_screen_is_the_earliest_in_whatever_order_they_tell() -> None:
    call = make_call()
    times = [call.received_at + seconds * SECOND for seconds in (3, 1, 2)]
    for at in times:
        Call.objects.confirm_shown([Confirmation(call.pk, call.received_at, at, screens=2, with_sound=1)])
    call.refresh_from_db()
    assert (call.shown_at, call.screens, call.screens_with_sound) == (times[1], 6, 3)
    assert call.shown_after == SECOND
