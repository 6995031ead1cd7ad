"""The lists of customers to follow up, and what teams' settings put on them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.db import IntegrityError, connections, transaction
from django.db.models import ProtectedError
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from calls import contact_data, follow_ups
from calls.follow_ups import Sweep
from calls.live import publish
from calls.models import Account, Call, Contact, FollowUp, Person, Team
from calls.templatetags.ringdesk import roughly

from .factory import make_account, make_call, make_calls, make_contact, make_follow_up, make_person, make_team
from .threads import at_once

pytestmark = pytest.mark.django_db

Outcome = Call.Outcome
Setting = Team.FollowUps
MINUTE = timedelta(minutes=1)


@pytest.fixture
def team() -> Team:
    return make_team()


@pytest.fixture
def agent(team: Team) -> Person:
    return make_person(team, password=None)


@pytest.fixture
def account(team: Team) -> Account:
    return make_account(team=team)


def supervisor() -> Person:
    return make_person(password=None, role=Person.Role.SUPERVISOR)


def past_call(account: Account, ago: timedelta = 10 * MINUTE, **fields: Any) -> Call:
    """One whose ring window is over."""
    return make_call(account, timezone.now() - ago, **fields)


def only_one() -> FollowUp:
    return FollowUp.objects.get()


# Added by choice


def test_a_contact_is_put_on_the_list_of_the_accounts_team(account: Account, agent: Person) -> None:
    call = past_call(account)
    assert follow_ups.add(call, agent)
    added = only_one()
    assert (added.call, added.contact, added.team, added.added_by) == (call, call.contact, account.team, agent)
    assert (added.taken_by, added.done_at) == (None, None)


def test_another_call_of_somebody_on_the_list_adds_nobody(account: Account, agent: Person) -> None:
    contact = make_contact(account.app)
    first, second = (past_call(account, contact=contact) for _ in range(2))
    assert follow_ups.add(first, agent)
    assert not follow_ups.add(second, agent)
    assert only_one().call == first


def test_somebody_who_was_followed_up_can_be_put_on_the_list_again(account: Account, agent: Person) -> None:
    call = past_call(account)
    follow_ups.add(call, agent)
    follow_ups.done(only_one().pk, agent, "")
    assert follow_ups.add(call, agent)
    assert FollowUp.objects.count() == 2


def test_each_team_has_a_list_of_its_own(agent: Person) -> None:
    contact = make_contact(make_account().app)
    accounts = [make_account(contact.app, team=team) for team in (make_team(), make_team(), None)]
    assert [follow_ups.add(past_call(account, contact=contact), agent) for account in accounts] == [True] * 3


@pytest.mark.parametrize("has_team", [True, False])
def test_the_database_itself_refuses_a_second_one(has_team: bool) -> None:
    call = past_call(make_account(team=make_team() if has_team else None))
    make_follow_up(call)
    with pytest.raises(IntegrityError), transaction.atomic():
        make_follow_up(call)


def test_who_is_on_record_cannot_be_deleted(account: Account, agent: Person) -> None:
    follow_ups.add(past_call(account), agent)
    with pytest.raises(ProtectedError):
        agent.delete()


# Taken, given back, done


def test_what_nobody_has_is_taken_once(account: Account, agent: Person) -> None:
    pk = make_follow_up(past_call(account)).pk
    other = make_person(password=None)
    assert follow_ups.take(pk, agent)
    assert not follow_ups.take(pk, other)
    assert only_one().taken_by == agent
    assert only_one().taken_at is not None


@pytest.mark.django_db(transaction=True)
def test_of_many_who_take_it_at_the_same_moment_one_has_it() -> None:
    pk = make_follow_up(past_call(make_account())).pk
    people = [make_person(password=None) for _ in range(6)]
    won = at_once(6, lambda number: follow_ups.take(pk, people[number]))
    assert sorted(won) == [False] * 5 + [True]
    assert only_one().taken_by == people[won.index(True)]


def test_what_was_given_back_can_be_taken_by_others(account: Account, agent: Person) -> None:
    pk = make_follow_up(past_call(account), taken_by=agent, taken_at=timezone.now()).pk
    assert follow_ups.give_back(pk, agent)
    assert (only_one().taken_by, only_one().taken_at) == (None, None)
    assert follow_ups.take(pk, make_person(password=None))


def test_only_who_has_it_and_supervisors_give_it_back(account: Account, agent: Person) -> None:
    pk = make_follow_up(past_call(account), taken_by=agent, taken_at=timezone.now()).pk
    assert not follow_ups.give_back(pk, make_person(password=None))
    assert only_one().taken_by == agent
    assert follow_ups.give_back(pk, supervisor())


def test_what_nobody_has_cannot_be_given_back(account: Account, agent: Person) -> None:
    assert not follow_ups.give_back(make_follow_up(past_call(account)).pk, agent)


def test_it_is_done_with_a_note(account: Account, agent: Person) -> None:
    pk = make_follow_up(past_call(account)).pk
    assert follow_ups.done(pk, agent, "called back")
    assert (only_one().done_by, only_one().note) == (agent, "called back")


def test_what_somebody_else_has_is_done_by_them_or_a_supervisor(account: Account, agent: Person) -> None:
    pk = make_follow_up(past_call(account), taken_by=agent, taken_at=timezone.now()).pk
    assert not follow_ups.done(pk, make_person(password=None), "not mine")
    assert only_one().done_at is None
    assert follow_ups.done(pk, supervisor(), "for them")


def test_what_is_done_stays_as_it_is(account: Account, agent: Person) -> None:
    pk = make_follow_up(past_call(account), done_by=agent, done_at=timezone.now(), note="first").pk
    boss = supervisor()
    assert not any([follow_ups.done(pk, boss, "second"), follow_ups.take(pk, boss), follow_ups.give_back(pk, boss)])
    assert (only_one().done_by, only_one().note, only_one().taken_by) == (agent, "first", None)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("name", ["add", "take", "give_back", "done"])
async def test_every_page_is_told_once_it_is_committed(name: str) -> None:
    layer = get_channel_layer()
    assert layer is not None
    channel = await layer.new_channel()
    await layer.group_add(publish.GROUP, channel)

    def act() -> bool:
        try:
            person, call = make_person(password=None), past_call(make_account())
            taken = {"taken_by": person, "taken_at": timezone.now()} if name == "give_back" else {}
            acts: dict[str, Callable[[], bool]] = {
                "add": lambda: follow_ups.add(call, person),
                "take": lambda: follow_ups.take(make_follow_up(call).pk, person),
                "give_back": lambda: follow_ups.give_back(make_follow_up(call, **taken).pk, person),
                "done": lambda: follow_ups.done(make_follow_up(call).pk, person, ""),
            }
            return acts[name]()
        finally:
            connections.close_all()

    assert await sync_to_async(act)()
    async with asyncio.timeout(5):
        assert (await layer.receive(channel))["asides"] is True


# How often they called since


def test_later_calls_of_the_contact_are_counted(account: Account) -> None:
    contact = make_contact(account.app)
    for ago in (30, 20, 10, 5):
        past_call(account, ago * MINUTE, contact=contact)
    past_call(account)
    make_follow_up(Call.objects.order_by("received_at")[1])
    [counted] = FollowUp.objects.for_list().values("called_since")  # type: ignore[misc]
    assert counted["called_since"] == 2


# By the team's setting


def listed(**setting: Any) -> list[int]:
    """The calls that led to a follow-up, once the sweep has gone through all of them; every team has this setting."""
    since = timezone.now() - timedelta(hours=1)
    Team.objects.update(**{"follow_up": Setting.UNANSWERED, "follow_up_since": since} | setting)
    sweep = Sweep()
    while sweep.step():
        pass
    return list(FollowUp.objects.order_by("call").values_list("call", flat=True))


@pytest.mark.parametrize(
    ("outcome", "settings"),
    [
        (Outcome.MISSED, {Setting.MISSED, Setting.UNANSWERED}),
        (Outcome.REFUSED, {Setting.MISSED, Setting.UNANSWERED}),
        (Outcome.REJECTED, {Setting.UNANSWERED}),
        (Outcome.RULE, {Setting.UNANSWERED}),
        (Outcome.UNCONFIRMED, {Setting.UNANSWERED}),
        (Outcome.ENDED, set()),
    ],
)
@pytest.mark.parametrize("setting", Setting)
def test_the_setting_says_which_calls_are_added(
    account: Account, outcome: str, settings: set[Setting], setting: Setting
) -> None:
    past_call(account, outcome=outcome, ended_at=timezone.now() if outcome == Outcome.ENDED else None)
    assert len(listed(follow_up=setting)) == (setting in settings)


def test_what_the_setting_adds_is_added_by_nobody(account: Account) -> None:
    call = past_call(account)
    assert listed() == [call.pk]
    assert (only_one().added_by, only_one().team, only_one().contact) == (None, account.team, call.contact)


def test_a_call_that_is_not_over_is_added_once_it_is(account: Account) -> None:
    Team.objects.update(follow_up=Setting.MISSED, follow_up_since=timezone.now() - MINUTE)
    call, sweep = make_call(account), Sweep()
    sweep.step()
    assert not FollowUp.objects.exists()
    Call.objects.update(rings_until=timezone.now())
    sweep.step()
    assert only_one().call == call


def test_calls_from_before_the_setting_stay_as_they_are(account: Account) -> None:
    past_call(account, 20 * MINUTE)
    later = past_call(account, 10 * MINUTE)
    assert listed(follow_up_since=timezone.now() - 15 * MINUTE) == [later.pk]


def test_the_setting_counts_from_when_it_was_chosen(team: Team) -> None:
    begun = timezone.now()
    team.follow_up = Setting.MISSED
    team.save()
    since = Team.objects.get().follow_up_since
    assert since is not None
    assert since >= begun
    team.name = "renamed"
    team.save()
    assert Team.objects.get().follow_up_since == since


def test_calls_of_other_teams_and_of_accounts_without_one_are_not_added(account: Account) -> None:
    past_call(make_account(team=None))
    past_call(make_account(team=make_team()))
    call = past_call(account)
    Team.objects.filter(accounts=account).update(follow_up=Setting.MISSED, follow_up_since=call.received_at)
    Sweep().step()
    assert only_one().call == call


def test_who_called_three_times_is_added_once(account: Account) -> None:
    contact = make_contact(account.app)
    first, *_ = [past_call(account, ago * MINUTE, contact=contact) for ago in (9, 6, 3)]
    assert listed() == [first.pk]


def test_sweeping_again_adds_nobody_twice(account: Account) -> None:
    past_call(account)
    assert listed() == listed()


def test_who_was_followed_up_after_the_call_is_not_added_for_it_again(account: Account, agent: Person) -> None:
    call = past_call(account)
    listed()
    follow_ups.done(only_one().pk, agent, "")
    assert listed() == [call.pk]


def test_who_called_again_after_they_were_followed_up_is_added_again(account: Account, agent: Person) -> None:
    contact = make_contact(account.app)
    old = past_call(account, 30 * MINUTE, contact=contact)
    make_follow_up(old, done_by=agent, done_at=timezone.now() - 20 * MINUTE)
    new = past_call(account, 10 * MINUTE, contact=contact)
    assert listed() == [old.pk, new.pk]


def test_whom_somebody_added_already_is_not_added_by_the_setting(account: Account, agent: Person) -> None:
    follow_ups.add(past_call(account), agent)
    assert len(listed()) == 1
    assert only_one().added_by == agent


def test_many_calls_are_looked_at_in_steps(account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(follow_ups, "CALLS_AT_ONCE", 3)
    calls = [past_call(account) for _ in range(8)]
    assert listed() == [call.pk for call in calls]


def test_what_was_looked_at_is_not_looked_at_again(account: Account) -> None:
    Team.objects.update(follow_up=Setting.MISSED, follow_up_since=timezone.now() - 30 * MINUTE)
    past_call(account)
    sweep = Sweep()
    sweep.step()
    FollowUp.objects.all().delete()
    sweep.step()
    assert not FollowUp.objects.exists()


def test_a_call_that_is_stored_late_is_added_all_the_same(account: Account) -> None:
    """One that waited on disk, or came of a replay: its moment lies back, and its id is new."""
    Team.objects.update(follow_up=Setting.MISSED, follow_up_since=timezone.now() - timedelta(hours=5))
    past_call(account)
    sweep = Sweep()
    sweep.step()
    late = past_call(account, timedelta(hours=4))
    sweep.step()
    assert late.pk in FollowUp.objects.values_list("call", flat=True)


def test_a_sweep_that_begins_where_nothing_came_lately_looks_at_what_comes_next(account: Account) -> None:
    Team.objects.update(follow_up=Setting.MISSED, follow_up_since=timezone.now() - timedelta(days=9))
    make_call(account, timezone.now() - timedelta(days=8))
    sweep = Sweep()
    sweep.step()
    new = past_call(account)
    sweep.step()
    assert only_one().call == new


def test_a_sweep_that_begins_looks_a_day_back(account: Account) -> None:
    long_ago = timezone.now() - timedelta(days=3)
    make_call(account, long_ago)
    yesterday = make_call(account, timezone.now() - timedelta(hours=23))
    assert listed(follow_up_since=long_ago) == [yesterday.pk]


def test_without_such_a_setting_only_the_teams_are_asked_for(
    account: Account, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    past_call(account)
    with django_assert_num_queries(1):
        assert not Sweep().step()


def test_a_sweep_takes_few_queries_however_many_are_added(
    account: Account, django_assert_max_num_queries: DjangoAssertNumQueries
) -> None:
    Team.objects.update(follow_up=Setting.MISSED, follow_up_since=timezone.now() - 30 * MINUTE)
    make_calls(200, account)
    Call.objects.update(received_at=timezone.now() - 20 * MINUTE, rings_until=timezone.now() - 19 * MINUTE)
    with django_assert_max_num_queries(8):
        Sweep().step()
    assert FollowUp.objects.count() == 200


def test_of_an_erased_contact_nobody_is_left_to_follow_up(account: Account, agent: Person) -> None:
    call = past_call(account)
    listed()
    contact_data.erase(Contact.objects.get(pk=call.contact_id))
    closed = only_one()
    assert (closed.done_by, closed.done_at is not None, closed.contact.wxid) == (None, True, f"erased-{call.contact_id}")
    assert len(listed()) == 1


def test_a_moment_is_told_in_words_of_any_length() -> None:
    lengths = [timedelta(seconds=59), MINUTE, timedelta(minutes=59), timedelta(minutes=60), timedelta(hours=47)]
    with translation.override("en"):
        words = [roughly(length) for length in [*lengths, timedelta(hours=48), -MINUTE]]
    assert words == ["just now", "1 min", "59 min", "1 h", "47 h", "2 d", "just now"]
