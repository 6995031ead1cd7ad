"""Search: finds all calls with a text and no others, whatever the index has and hasn't yet."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoAssertNumQueries

from calls import search
from calls.models import Account, Attempt, Call, Contact, Note, Person, Team
from calls.models.call import CallQuerySet
from calls.models.person import Sight
from calls.receive import Batch, Reception
from calls.search import found, sqlite
from calls.vendor.notices import IncomingCall

from .factory import make_account, make_app, make_attempt, make_call, make_calls, make_contact, make_person, make_team
from .threads import at_once

pytestmark = pytest.mark.django_db

# Texts as strangers write them: Chinese, either case, wildcards, quotes, emoji, combining marks, right to left.
CHARACTERS = "王伟伟欧阳aAbBKßİéÉ\u0301 12%_\\'\"*😀👍🏽\u200bאب.-"
texts = st.text(CHARACTERS, max_size=6) | st.text(st.characters(exclude_characters="\0", codec="utf-8"), max_size=4)
# How soon the search turns from one way of looking to the next: newest calls, few found, lists.
LIMITS = [(2_000, 10_000, 40), (1, 10_000, 40), (1, 0, 40), (1, 10_000, 0), (2, 2, 1)]


def plainly(calls: CallQuerySet, text: str) -> set[int]:
    """What a search is to find, found without an index."""
    columns = [
        *("contact__nickname", "contact__wxid", "contact__remark", "account__name", "account__wxid", "voipid"),
        *("claimed_by__name", "claimed_by__username", "attempts__message", "notes__text"),
    ]
    condition = Q()
    for column in columns:
        condition |= Q(**{f"{column}__icontains": text})
    return set(calls.filter(condition).values_list("pk", flat=True))


def newest(text: str, count: int = 50, calls: CallQuerySet | None = None) -> list[int]:
    return search.newest(Call.objects.all() if calls is None else calls, text, count)


def assert_found(call: Call, text: str) -> None:
    assert newest(text) == [call.pk]
    assert list(search.matching(Call.objects.all(), text)) == [call]


def assert_not_found(text: str) -> None:
    assert newest(text) == []
    assert not search.matching(Call.objects.all(), text).exists()


def index_some() -> bool:
    settle()
    return search.index_some()


def index_all() -> None:
    while index_some():
        pass


def settle() -> None:
    """PostgreSQL makes no index within a transaction that has yet to check its foreign keys."""
    if connection.vendor == "postgresql":
        connection.check_constraints()


@contextmanager
def limits(newest: int, few: int, lists: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(found, "NEWEST", newest)
        patch.setattr(found, "FEW", few)
        patch.setattr(found, "MANY", few * 2)
        patch.setattr(found, "PATIENCE", newest * 4)
        patch.setattr(found, "FEW_LISTS", lists)
        yield


@pytest.fixture
def through_the_index(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if there were so many calls that looking at the newest finds none of these."""
    monkeypatch.setattr(found, "NEWEST", 0)
    monkeypatch.setattr(found, "_look_at", lambda calls, count, condition: ([], calls))


# What is found


def call_with(**texts: str) -> Call:
    """A call with these texts, by the names of what they are on, and others that have none of them."""
    make_calls(3)
    app = make_app()
    account = make_account(app, **{"name": texts.get("account", ""), "wxid": texts.get("account_wxid", "1")})
    contact = make_contact(
        app, **{"nickname": texts.get("nickname", ""), "wxid": texts.get("wxid", "2"), "remark": texts.get("remark", "")}
    )
    person = make_person(password=None, **{"name": texts.get("person", ""), "username": texts.get("username", "me")})
    call = make_call(account, contact=contact, voipid=texts.get("voipid", "3"), claimed_by=person)
    make_attempt(call, person, message=texts.get("message", ""))
    Note.objects.create(call=call, person=person, written_at=timezone.now(), text=texts.get("note", ""))
    return call


WHERE = ["nickname", "wxid", "remark", "account", "account_wxid", "voipid", "person", "username", "message", "note"]


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize("where", WHERE)
@pytest.mark.parametrize("text", ["欧", "欧阳", "欧阳娜", "阳娜 B", "b52", "a*\"'%_\\", "👍🏽"])
@pytest.mark.usefixtures("through_the_index")
def test_a_call_is_found_by_any_part_of_its_texts(where: str, text: str, indexed: bool) -> None:
    call = call_with(**{where: "欧阳娜 B52 a*\"'%_\\ 👍🏽"})
    if indexed:
        index_all()
    assert_found(call, text)


@pytest.mark.parametrize("text", ["%", "_", "欧阳_", "欧_娜", "娜欧阳", "阳欧"])
@pytest.mark.usefixtures("through_the_index")
def test_what_only_resembles_the_text_is_not_found(text: str) -> None:
    call_with(nickname="欧阳娜", note="欧阳 阳娜")
    index_all()
    assert_not_found(text)


@pytest.mark.usefixtures("through_the_index")
def test_a_remark_is_found_as_soon_as_it_is_written_and_no_longer_once_it_is_gone() -> None:
    call = call_with()
    index_all()
    for remark in ("欧阳娜", "", "娜娜 B52"):
        Contact.objects.filter(pk=call.contact_id).update(remark=remark)
        if remark:
            assert_found(call, remark[:2])
        else:
            assert_not_found("欧阳")
        index_all()
    assert_found(call, "b5")


def test_numbers_of_one_and_two_digits_are_found_too() -> None:
    calls = [make_call(voipid=voipid) for voipid in ("777777", "888888")]
    Contact.objects.update(wxid="x")
    Account.objects.update(wxid="x")
    index_all()
    with limits(1, 1, 0):
        assert newest("7") == newest("77") == newest("777") == [calls[0].pk]


@pytest.mark.parametrize("limits_", LIMITS)
def test_the_newest_come_first_and_no_more_than_asked_for(limits_: tuple[int, int, int]) -> None:
    account = make_account(name="小林")
    now = timezone.now()
    calls = [make_call(account, now - timedelta(minutes=minutes)) for minutes in (5, 1, 4, 2, 3)]
    index_all()
    with limits(*limits_):
        assert newest("小林", 3) == [calls[place].pk for place in (1, 3, 4)]


def test_an_account_and_a_person_found_together_are_merged() -> None:
    account, person = make_account(name="小林"), make_person(password=None, name="林")
    now = timezone.now()
    both = make_call(account, now - timedelta(minutes=2), claimed_by=person)
    accounts = make_call(account, now - timedelta(minutes=3))
    persons = make_call(None, now - timedelta(minutes=1), claimed_by=person)
    index_all()
    with limits(1, 10, 10):
        assert newest("林") == [persons.pk, both.pk, accounts.pk]


def test_a_text_with_too_many_contacts_is_looked_for_among_all_calls() -> None:
    calls = make_calls(30)
    Contact.objects.filter(calls__in=calls[:10]).update(nickname="王伟")
    index_all()
    with limits(2, 3, 40):
        assert newest("王伟") == [call.pk for call in reversed(calls[:10])]


def test_what_is_rare_is_not_looked_for_call_by_call(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    calls = make_calls(300)
    Contact.objects.filter(calls=calls[0]).update(nickname="王伟")
    index_all()
    with limits(2, 10, 10), django_assert_max_num_queries(24):
        assert newest("王伟") == [calls[0].pk]


def test_an_empty_text_is_in_every_call() -> None:
    calls = make_calls(3)
    assert newest("") == [call.pk for call in reversed(calls)]


def test_they_are_counted_up_to_a_limit() -> None:
    calls = make_calls(30)
    Contact.objects.filter(calls__in=calls[:10]).update(nickname="王伟")
    index_all()
    assert search.count(Call.objects.all(), "王伟", 100) == 10
    assert search.count(Call.objects.all(), "王伟", 10) == 10
    assert search.count(Call.objects.all(), "王伟", 9) == 9
    assert search.count(Call.objects.all(), "张", 9) == 0


def test_what_would_take_too_long_to_count_is_not_counted() -> None:
    calls = make_calls(30)
    Contact.objects.filter(calls__in=calls[:10]).update(nickname="王伟")
    with limits(8, 0, 40):
        assert search.count(Call.objects.all(), "王伟", 10) is None
        assert search.count(Call.objects.filter(pk__in=[call.pk for call in calls[7:13]]), "王伟", 10) == 3


# What arrived or changed since


@pytest.mark.usefixtures("through_the_index")
def test_a_contact_that_calls_under_a_new_name_is_found_by_it() -> None:
    app = make_app()
    reception = Reception()

    def call_as(nickname: str, voipid: str) -> None:
        call = IncomingCall(account="1", contact="2", voipid=voipid, kind=1, nickname=nickname)
        reception.take_in([Batch(app.pk, timezone.now(), 60, calls=[call])])

    call_as("王伟", "10")
    index_all()
    call_as("张敏", "11")
    for _ in range(2):
        assert len(newest("张敏")) == 2
        assert_not_found("王伟")
        index_all()


def ids_of(model: type[Contact]) -> list[int]:
    return list(model.objects.values_list("pk", flat=True))


CHANGES: list[Callable[[str], Any]] = [
    lambda text: Contact.objects.update(nickname=text),
    lambda text: Contact.objects.update(wxid=text),
    lambda text: Contact.objects.bulk_update([Contact(pk=pk, nickname=text) for pk in ids_of(Contact)], ["nickname"]),
    lambda text: Call.objects.update(voipid=text),
    lambda text: Attempt.objects.update(message=text),
    lambda text: Note.objects.update(text=text),
    lambda text: Account.objects.update(name=text),
    lambda text: Person.objects.update(name=text),
]


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.usefixtures("through_the_index")
def test_whatever_changes_is_found_at_once_and_once_it_is_indexed(change: Callable[[str], Any]) -> None:
    call = make_call()
    person = make_person(password=None)
    Call.objects.update(claimed_by=person)
    make_attempt(call, person, message="")
    Note.objects.create(call=call, person=person, written_at=timezone.now(), text="x")
    index_all()
    for text in ("欧阳", "欧阳娜", "娜欧阳"):
        change(text)
        assert_found(call, text)
        index_all()
        assert_found(call, text)
        change("y")
        assert_not_found(text)
        index_all()


@pytest.mark.usefixtures("through_the_index")
def test_removed_calls_are_not_found() -> None:
    call_with(voipid="4711xyz")
    index_all()
    Note.objects.all().delete()
    Attempt.objects.all().delete()
    Call.objects.all().delete()
    assert_not_found("4711xyz")
    assert_not_found("4711")


# Any texts


@st.composite
def worlds(draw: st.DrawFn) -> list[tuple[str, str, str, str]]:
    return draw(st.lists(st.tuples(texts, texts, texts, texts), min_size=1, max_size=6))


@pytest.mark.parametrize("limits_", LIMITS)
@settings(max_examples=6, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_any_text_is_found_exactly_where_it_is(limits_: tuple[int, int, int], data: st.DataObject) -> None:
    with transaction.atomic(), limits(*limits_):
        teams = [make_team(), make_team()]
        make_some_calls(data, teams)
        drawn = [text for text in all_texts() if text]
        parts = st.builds(lambda text, first, size: text[first : first + size], st.sampled_from(drawn or ["x"]),
                          st.integers(0, 5), st.integers(1, 6))  # fmt: skip
        for step in range(4):
            text = data.draw(texts | parts, "text") or "a"
            assert_found_exactly(text, teams[0], data.draw(st.integers(1, 4), "count"))
            if step == 0:
                index_some()
            elif step == 1:
                Contact.objects.filter(pk=ids_of(Contact)[0]).update(nickname=data.draw(texts, "new name"))
            else:
                index_all()
        transaction.set_rollback(True)


def make_some_calls(data: st.DataObject, teams: list[Team]) -> None:
    app, now = make_app(), timezone.now()
    people = [make_person(password=None, name=data.draw(texts), username=f"u{number}") for number in range(2)]
    accounts = [make_account(app, team=team, name=data.draw(texts), wxid=f"w{team.pk}") for team in teams]
    contacts = [make_contact(app, nickname=data.draw(texts), wxid=data.draw(texts) + str(n)) for n in range(3)]
    for number in range(data.draw(st.integers(1, 8), "calls")):
        call = make_call(
            data.draw(st.sampled_from(accounts)),
            now - timedelta(seconds=data.draw(st.integers(0, 3))),
            contact=data.draw(st.sampled_from(contacts)),
            voipid=data.draw(texts) + str(number),
            claimed_by=data.draw(st.sampled_from([None, *people])),
        )
        for message in data.draw(st.lists(texts, max_size=2)):
            make_attempt(call, people[0], message=message)
        if note := data.draw(texts):
            Note.objects.create(call=call, person=people[1], written_at=now, text=note)


def all_texts() -> list[str]:
    columns = [(Contact, "nickname"), (Contact, "wxid"), (Account, "name"), (Call, "voipid"), (Attempt, "message"),
               (Note, "text"), (Person, "name")]  # fmt: skip
    return [text for model, column in columns for text in model._default_manager.values_list(column, flat=True)]


def assert_found_exactly(text: str, team: Team, count: int) -> None:
    ordered = Call.objects.order_by("-received_at", "-id")
    middle = ordered[ordered.count() // 2]
    agents = Call.objects.seen_by(Sight(all=False, teams=frozenset([team.pk])))
    for calls in (
        Call.objects.all(),
        agents,
        agents.filter(claimed_by=None),
        Call.objects.before(middle.received_at, middle.pk),
        Call.objects.filter(kind=Call.Kind.VIDEO).for_history(),
    ):
        expected = plainly(calls.order_by(), text)
        in_order = [pk for pk in ordered.values_list("pk", flat=True) if pk in expected]
        assert search.newest(calls, text, count) == in_order[:count]
        found = search.matching(calls, text)
        assert sorted(found.values_list("pk", flat=True)) == sorted(expected)
        assert found.count() == len(expected)
        assert search.count(calls, text, count) in {min(len(expected), count), None}


# The index itself


def test_it_is_built_in_small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite.index_some, "__defaults__", (10,))
    make_calls(25)  # and as many contacts
    steps = 1
    while index_some():
        steps += 1
    assert steps == {"sqlite": 7, "postgresql": 4}[connection.vendor]  # so many rows each; an index each


@pytest.mark.django_db(transaction=True)
def test_several_at_once_build_it_without_getting_into_each_others_way() -> None:
    calls = make_calls(30)
    Contact.objects.filter(pk=calls[0].contact_id).update(nickname="欧阳娜")
    at_once(3, lambda number: search.rebuild() if number else index_all())
    index_all()
    with limits(1, 10_000, 40):
        assert newest("欧阳") == [calls[0].pk]
    assert not search.index_some()


def test_with_nothing_new_there_is_nothing_to_do() -> None:
    make_call()
    index_all()
    assert not index_some()


@pytest.mark.usefixtures("through_the_index")
def test_it_can_be_built_anew_by_a_command() -> None:
    call = call_with(nickname="欧阳娜")
    printed = io.StringIO()
    for _ in range(2):
        settle()
        call_command("rebuild_search", stdout=printed)
        assert not search.index_some()
        assert_found(call, "欧阳")
    assert printed.getvalue() == "The search index is built.\n" * 2
