"""A made-up history: that it adds up, follows the clock, and stays away from what is real."""

from __future__ import annotations

import io
import json
from collections import Counter
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db.models import Max
from django.utils import timezone
from pytest_django import Settings

from calls.made_up import cast, history
from calls.models import Account, Attempt, Call, Contact, FollowUp, Note, Person, RawNotice, VendorApp
from calls.models.call import outcome_of
from calls.senders import mapping_of
from calls.vendor import notices

from .factory import make_app, make_call, make_person, make_team

pytestmark = pytest.mark.django_db(transaction=True)

CALLS, DAYS = 2000, 60
SOME = "--calls", "50", "--days", "5"  # each day is counted as well


def make_history(*arguments: str) -> None:
    call_command("make_history", *arguments, stdout=io.StringIO(), stderr=io.StringIO())


@pytest.fixture
def made() -> None:
    make_history("--calls", str(CALLS), "--days", str(DAYS), "--seed", "7")


def what_happened(app: VendorApp) -> list[tuple[object, ...]]:
    calls = Call.objects.filter(account__app=app).order_by("received_at", "attempts")
    fields = "received_at", "account__wxid", "contact__nickname", "kind", "outcome", "claimed_by__username", "shown_at"
    return list(calls.values_list(*fields, "attempts__answered_at", "notes__text"))


@pytest.mark.usefixtures("made")
def test_every_call_that_was_asked_for_is_over() -> None:
    now = timezone.now()
    assert Call.objects.count() == Call.objects.over(now).count() == CALLS
    assert not Call.objects.active(now).exists()


@pytest.mark.usefixtures("made")
def test_outcomes_are_what_the_attempts_add_up_to() -> None:
    for call in Call.objects.exclude(outcome=Call.Outcome.RULE).prefetch_related("attempts"):
        results = [attempt.result for attempt in call.attempts.all()]
        assert call.outcome == outcome_of(results, ended=call.ended_at is not None)
        assert call.claimed_by_id == (call.last_attempt.person_id if call.last_attempt else None)
    by_rule = Call.objects.filter(outcome=Call.Outcome.RULE)
    assert by_rule.exists()
    assert not by_rule.exclude(claimed_by=None).exists()
    assert not Attempt.objects.filter(call__in=by_rule).exists()


@pytest.mark.usefixtures("made")
def test_most_are_rejected_and_many_missed() -> None:
    shares = {outcome: times / CALLS for outcome, times in Counter(Call.objects.values_list("outcome", flat=True)).items()}
    assert shares.keys() == set(Call.Outcome)
    assert 0.55 < shares[Call.Outcome.REJECTED] < 0.67
    assert 0.19 < shares[Call.Outcome.MISSED] < 0.31


@pytest.mark.usefixtures("made")
def test_what_screens_showed_agrees_with_when_and_few_were_seen_by_nobody() -> None:
    assert not Call.objects.filter(screens=0, shown_at__isnull=False).exists()
    assert not Call.objects.filter(screens__gt=0, shown_at=None).exists()
    assert all(call.screens_with_sound <= (call.screens or 0) for call in Call.objects.all())
    now = timezone.now()
    unseen = Call.objects.seen_by_nobody(now)
    assert 0.002 < unseen.count() / CALLS < 0.03
    assert all(call.unseen for call in unseen)


@pytest.mark.usefixtures("made")
def test_all_of_it_lies_in_the_past_and_within_the_days_and_in_order() -> None:
    now = timezone.now()
    assert not Call.objects.filter(received_at__lt=now - timedelta(days=DAYS, hours=3)).exists()
    for call in Call.objects.prefetch_related("attempts"):
        moments = [call.called_at, call.received_at, call.shown_at]
        for attempt in call.attempts.all():
            assert attempt.started_at < call.rings_until
            moments += [attempt.started_at, attempt.answered_at]
        moments += [call.ended_at, now]
        known = [moment for moment in moments if moment]
        assert known == sorted(known)
    latest = Note.objects.aggregate(latest=Max("written_at"))["latest"]
    assert latest is not None
    assert latest < now


@pytest.mark.usefixtures("made")
def test_some_missed_calls_were_followed_up_by_people_of_the_team() -> None:
    found = FollowUp.objects.select_related("call__account", "done_by")
    assert 0.05 < found.count() / Call.objects.filter(outcome=Call.Outcome.MISSED).count() < 0.3
    for one in found:
        assert one.done_at is not None
        assert one.taken_at is not None
        assert one.call.rings_until <= one.added_at < one.taken_at < one.done_at < timezone.now()
        assert (one.contact_id, one.team_id, one.call.outcome) == (one.call.contact_id, one.call.account.team_id, "missed")
        assert one.done_by is not None
        assert one.team_id in one.done_by.sight


@pytest.mark.usefixtures("made")
def test_more_come_in_office_hours_than_at_night_and_on_weekends() -> None:
    local = [at.astimezone(notices.BEIJING) for at in Call.objects.values_list("received_at", flat=True)]
    hours, weekdays = Counter(at.hour for at in local), Counter(at.isoweekday() for at in local)
    assert hours[10] > 10 * hours[3]
    assert hours[12] < 0.6 * hours[10]  # lunch, whatever the minute is at which the history ends
    assert weekdays[7] < 0.7 * weekdays[3]


@pytest.mark.usefixtures("made")
def test_some_call_often_and_most_seldom() -> None:
    calls = Counter(Call.objects.values_list("contact", flat=True))
    assert max(calls.values()) > 20 * sorted(calls.values())[len(calls) // 4]
    assert max(calls.values()) < CALLS / 10


@pytest.mark.usefixtures("made")
def test_nobody_made_up_can_sign_in_and_who_left_rejects_no_more() -> None:
    assert not any(person.has_usable_password() for person in Person.objects.all())
    left = Person.objects.filter(is_active=False)
    assert left.exists()
    assert not Call.objects.filter(claimed_by__in=left, received_at__gt=timezone.now() - timedelta(days=DAYS / 4)).exists()


@pytest.mark.usefixtures("made")
def test_accounts_are_spread_over_teams_and_some_have_none() -> None:
    assert Account.objects.exclude(team=None).values("team").distinct().count() == len(cast.TEAMS)
    assert Account.objects.filter(team=None, name="").exists()


@pytest.mark.usefixtures("made")
def test_the_newest_calls_have_the_notice_that_they_were_read_from() -> None:
    newest = Call.objects.latest("received_at")
    reading = notices.read([json.loads(RawNotice.objects.get(call=newest).body)], mapping_of(newest.account.app))
    (call,) = reading.calls
    assert (call.account, call.contact, call.voipid, call.kind, call.nickname) == (
        newest.account.wxid, newest.contact.wxid, newest.voipid, newest.kind, newest.contact.nickname,
    )  # fmt: skip


def test_the_same_seed_makes_up_the_same_and_another_something_else() -> None:
    apps, now = [make_app() for _ in range(3)], timezone.now()
    for app, seed in zip(apps, (1, 1, 2), strict=True):
        history.make(history.Asked(app, calls=300, days=5, until=now, seed=seed))
    first, again, other = (what_happened(app) for app in apps)
    assert first == again
    assert first != other


def test_more_can_be_added_to_the_same_accounts() -> None:
    make_history(*SOME)
    accounts, contacts = Account.objects.count(), Contact.objects.count()
    make_history(*SOME)
    assert Call.objects.count() == 100
    assert Account.objects.count() == accounts
    assert Contact.objects.count() == 2 * contacts


def test_people_who_are_there_already_stay_as_they_are() -> None:
    team = make_team(name=cast.TEAMS[1])
    lilei = make_person(team, username="lilei", name="Li Lei")
    make_history(*SOME)
    lilei.refresh_from_db()
    assert lilei.name == "Li Lei"
    assert lilei.has_usable_password()
    assert list(lilei.teams.all()) == [team]


def test_it_is_refused_among_real_calls_unless_told_to() -> None:
    make_call()
    with pytest.raises(CommandError, match="--yes"):
        make_history(*SOME)
    assert not VendorApp.objects.filter(name="made up").exists()
    make_history(*SOME, "--yes")
    assert Call.objects.count() == 51


def test_in_a_demo_it_needs_no_leave(settings: Settings) -> None:
    settings.DEMO = True
    make_call()
    make_history(*SOME)
    assert Call.objects.count() == 51


@pytest.mark.parametrize(
    "arguments", [("--calls", "0"), ("--calls", "10", "--days", "0"), ("--calls", "10", "--days", "-1")]
)
def test_numbers_that_make_no_sense_are_refused(arguments: tuple[str, ...]) -> None:
    with pytest.raises(CommandError):
        make_history(*arguments)
    assert not Call.objects.exists()
