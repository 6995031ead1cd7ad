"""However many reject a call at the same moment, and in however many processes, the vendor is asked once."""

from __future__ import annotations

import pytest

from tests.desk import Desk

from .agents import agents
from .clicks import click_at_once

ROUNDS = 5


def attempts_on(desk: Desk, pk: int) -> list[tuple[object, ...]]:
    return desk.server.sql("SELECT result FROM calls_attempt WHERE call_id = ?", pk)


def name_of_winner(desk: Desk, pk: int) -> str:
    [(name,)] = desk.server.sql(
        "SELECT username FROM calls_person JOIN calls_call ON claimed_by_id = calls_person.id WHERE calls_call.id = ?", pk
    )
    return str(name)


@pytest.mark.parametrize(("processes", "threads"), [(2, 1), (4, 12)])
def test_of_many_processes_that_reject_a_call_one_does(desk: Desk, processes: int, threads: int) -> None:
    with agents(desk.server, threads, processes) as everyone:
        for number in range(1, ROUNDS + 1):
            pk = desk.call_pk(desk.call())
            for group in everyone:
                group.click(pk)
            counted = [counts for group in everyone for counts in group.outcome()]
            assert (len(counted), sum(counted)) == (processes * threads, 1)
            assert len(desk.vendor.rejects) == number
            assert attempts_on(desk, pk) == [("accepted",)]


@pytest.mark.parametrize("number", [2, 50])
def test_of_many_clicks_on_the_server_one_counts_and_the_others_are_told_whose(desk: Desk, number: int) -> None:
    with agents(desk.server, number) as [everyone]:
        for done in range(1, ROUNDS + 1):
            pk = desk.call_pk(desk.call())
            cards = click_at_once(desk.server, [(key, pk) for key in everyone.session_keys])
            first = f"<bdi>{name_of_winner(desk, pk)}</bdi> was first"
            assert sum(first in card for card in cards) == number - 1
            assert len(desk.vendor.rejects) == done
            assert attempts_on(desk, pk) == [("accepted",)]


def test_many_processes_without_a_token_fetch_one(desk: Desk) -> None:
    pks = [desk.call_pk(desk.call()) for _ in range(12)]
    with agents(desk.server, 3, processes=4) as everyone:
        for number, group in enumerate(everyone):
            group.click(*pks[number * 3 : number * 3 + 3])
        assert [group.outcome() for group in everyone] == [[True] * 3] * 4
    assert len(desk.vendor.tokens) == 1
    assert len(desk.vendor.rejects) == 12
