"""Queries that are written once."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.models import Count
from django.test.utils import CaptureQueriesContext

from calls.models import Call, Team
from calls.prepared import ById

from .factory import make_account, make_call, make_person, make_team
from .threads import at_once

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_rows_are_those_that_the_queryset_would_find() -> None:
    account = make_account(team=make_team())
    calls = [make_call(account=account, claimed_by=make_person(password=None)) for _ in range(3)]
    others = [make_call(), make_call()]
    by_id = ById(Call.objects.select_related("account__team", "contact", "claimed_by").order_by("-id"))
    for wanted in (calls, others, calls[:1], calls + others):
        ids = [call.pk for call in wanted]
        found = by_id.fetch(ids)
        assert found == list(Call.objects.filter(pk__in=ids).order_by("-id"))
        with CaptureQueriesContext(connection) as queries:
            told = [(call.account.team, call.contact.wxid, call.claimed_by, call.received_at) for call in found]
        assert not queries
        assert told == [
            (call.account.team, call.contact.wxid, call.claimed_by, call.received_at)
            for call in Call.objects.filter(pk__in=ids).order_by("-id")
        ]


@pytest.mark.parametrize("unknown", [0, 2**63 - 1, 2**63, 10**40])
def test_ids_of_no_row_are_left_out(unknown: int) -> None:
    call = make_call()
    assert ById(Call.objects.all()).fetch([call.pk, unknown]) == [call]
    assert ById(Call.objects.all()).fetch([unknown]) == []


def test_changes_are_seen() -> None:
    call, by_id = make_call(), ById(Call.objects.all())
    assert by_id.fetch([call.pk])[0].version == 0
    Call.objects.update(version=7)
    assert by_id.fetch([call.pk])[0].version == 7


def test_what_is_counted_beside_comes_with_the_rows() -> None:
    team = make_team()
    make_account(team=team)
    make_account(team=team)
    [found] = ById(Team.objects.annotate(size=Count("accounts"))).fetch([team.pk])
    assert vars(found)["size"] == 2


def test_by_another_column() -> None:
    account = make_account()
    calls = [make_call(account=account), make_call(account=account)]
    make_call()
    assert ById(Call.objects.order_by("id"), by="account_id").fetch([account.pk]) == calls


def test_one_query_and_none_without_ids() -> None:
    call, by_id = make_call(), ById(Call.objects.select_related("account").prefetch_related("attempts"))
    by_id.fetch([call.pk])
    with CaptureQueriesContext(connection) as queries:
        by_id.fetch([call.pk])
    assert len(queries) == 1
    with CaptureQueriesContext(connection) as queries:
        assert by_id.fetch([]) == []
    assert not queries


def test_many_ids_are_no_more_parameters_than_one() -> None:
    call = make_call()
    assert ById(Call.objects.all()).fetch(range(call.pk, call.pk + 100_000)) == [call]


def test_threads_ask_by_their_own_connections() -> None:
    calls, by_id = [make_call() for _ in range(8)], ById(Call.objects.select_related("account"))
    found = at_once(8, lambda number: [by_id.fetch([calls[number].pk]) for _ in range(20)])
    assert found == [[[call]] * 20 for call in calls]
