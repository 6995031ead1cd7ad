from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from django.db import OperationalError, connection

from dashboard.housekeeping import MANY_CALLS, STEPS_IN_A_ROW, Housekeeping, Job, refresh_statistics

from .factory import make_account, make_call
from .waiting import eventually

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_data_folder")]

NEVER_AGAIN = 10_000.0  # seconds


@contextmanager
def running(*jobs: Job) -> Iterator[None]:
    housekeeping = Housekeeping(list(jobs))
    housekeeping.start()
    try:
        yield
    finally:
        housekeeping.stop()


def counting(more: Callable[[int], bool]) -> tuple[Job, list[int]]:
    """A job that notes its steps, and says after each whether there is more."""
    steps: list[int] = []

    def step() -> bool:
        steps.append(len(steps) + 1)
        return more(len(steps))

    return Job(step, every=NEVER_AGAIN), steps


def test_a_job_goes_on_until_there_is_no_more() -> None:
    job, steps = counting(lambda done: done < 3)
    with running(job):
        eventually(lambda: job.due > 0)
    assert steps == [1, 2, 3]


def test_a_long_job_keeps_no_other_waiting() -> None:
    long, steps = counting(lambda done: True)
    short, _ = counting(lambda done: False)
    with running(long, short):
        eventually(lambda: short.due > 0)
    assert len(steps) >= STEPS_IN_A_ROW


@pytest.mark.sqlite_only
def test_sqlite_learns_of_tables_that_are_large_and_of_no_others() -> None:
    account = make_account()
    forget_statistics()
    make_call(account)
    refresh_statistics()
    before = has_statistics()
    make_call(account, pk=MANY_CALLS)
    refresh_statistics()
    after = has_statistics()
    forget_statistics()
    assert (before, after) == (False, True)


def forget_statistics() -> None:
    """What was learnt in one test holds for no other."""
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS sqlite_stat1")


def has_statistics() -> bool:
    return "sqlite_stat1" in connection.introspection.table_names()


@pytest.mark.parametrize("trouble", [OperationalError("database is locked"), ValueError("a mistake")])
def test_a_job_that_fails_is_logged_and_costs_no_other(trouble: Exception, caplog: pytest.LogCaptureFixture) -> None:
    def fail() -> bool:
        raise trouble

    other, steps = counting(lambda done: False)
    with caplog.at_level(logging.WARNING), running(Job(fail, NEVER_AGAIN), other):
        eventually(lambda: other.due > 0)
    assert (steps, str(trouble) in caplog.text) == ([1], True)


def test_of_two_processes_one_does_it_until_it_ends() -> None:
    first, steps_of_first = counting(lambda done: False)
    second, steps_of_second = counting(lambda done: False)
    first.every = second.every = 0.0
    with running(second):
        with running(first):
            eventually(lambda: max(len(steps_of_first), len(steps_of_second)) >= 3)
            assert not (steps_of_first and steps_of_second)
        eventually(lambda: len(steps_of_second) > 0)


def test_what_may_be_slow_has_a_thread_and_a_lock_of_its_own() -> None:
    let_go = threading.Event()
    slow, (job, steps) = Job(lambda: let_go.wait(10) and False, NEVER_AGAIN), counting(lambda done: False)
    look_ups = Housekeeping([slow], "look-ups")
    look_ups.start()
    with running(job):
        eventually(lambda: steps == [1])
    started = time.monotonic()
    look_ups.stop(within=0.1)
    assert time.monotonic() - started < 5
    let_go.set()
    look_ups.stop()


def test_what_each_host_has_to_do_for_itself_is_done_by_every_process() -> None:
    first, steps_of_first = counting(lambda done: False)
    second, steps_of_second = counting(lambda done: False)
    first.everywhere = second.everywhere = True
    with running(first), running(second):
        eventually(lambda: bool(steps_of_first and steps_of_second))
