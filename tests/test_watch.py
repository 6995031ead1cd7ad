from __future__ import annotations

import threading
import time as time_module
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from pytest_django import DjangoAssertNumQueries, Settings

from calls import backlog, watch
from calls.models import Account, AccountTraffic, AnswerTime, Callback, UnreadBody, VendorApp
from calls.models.traffic import RANGES, SLOWEST
from calls.watch import Budget

from .factory import make_account, make_app

pytestmark = pytest.mark.django_db

SHANGHAI = ZoneInfo("Asia/Shanghai")
TODAY = date(2026, 11, 20)  # a Friday
NOW = datetime.combine(TODAY, time(11, 42), SHANGHAI).astimezone(UTC)
MIDNIGHT = datetime.combine(TODAY, time.min, SHANGHAI).astimezone(UTC)


def at(clock: str, days_ago: int = 0) -> datetime:
    return datetime.combine(TODAY - timedelta(days=days_ago), time.fromisoformat(clock), SHANGHAI).astimezone(UTC)


def answers(app: VendorApp, slot: datetime, **within: int) -> None:
    for limit, count in within.items():
        AnswerTime.objects.create(app=app, slot=slot, within=int(limit.strip("_")), callbacks=count)


def app_that_is_silent_since(clock: str, **fields: str) -> VendorApp:
    """Something came in every slot from 9 to 18 on each of the last 28 days, and today until then."""
    app = make_app(**fields)
    slots = [at("09:00", back) + number * AnswerTime.SLOT for back in range(1, 29) for number in range(108)]
    slots += [slot for number in range(108) if (slot := at("09:00") + number * AnswerTime.SLOT) < at(clock)]
    AnswerTime.objects.bulk_create(AnswerTime(app=app, slot=slot, within=5, callbacks=1) for slot in slots)
    return app


def app_with_traffic(days: int = 28) -> VendorApp:
    """Something came today, and at noon of each day before: nobody takes it for silent."""
    app = make_app()
    slots = [at("11:40"), *(at("12:00", back) for back in range(1, days + 1))]
    AnswerTime.objects.bulk_create(AnswerTime(app=app, slot=slot, within=5, callbacks=1) for slot in slots)
    return app


def account_that_is_silent_since(clock: str, app: VendorApp) -> Account:
    account = make_account(app)
    slots = [at("00:00", back) + number * AccountTraffic.SLOT for back in range(1, 29) for number in range(24)]
    slots += [slot for number in range(24) if (slot := at("00:00") + number * AccountTraffic.SLOT) < at(clock)]
    AccountTraffic.objects.bulk_create(AccountTraffic(account=account, slot=slot, notices=1) for slot in slots)
    return account


# The budget


def test_answers_are_counted_by_how_late_they_were() -> None:
    app = make_app(name="Main")
    answers(app, at("00:00"), _5=100, _250=7)
    answers(app, at("11:40"), _5=1, _500=5, _1000=3, **{f"_{SLOWEST}": 2})
    [budget] = watch.budgets(MIDNIGHT)
    assert (budget.app_id, budget.name, budget.callbacks) == (app.pk, "Main", 118)
    assert (budget.slow_ones, budget.close_ones, budget.timeouts) == (10, 5, 2)


def test_the_day_is_the_one_of_the_vendors_zone(settings: Settings) -> None:
    app = make_app()
    answers(app, at("00:00") - AnswerTime.SLOT, _5=100)
    answers(app, at("00:00"), _5=1)
    assert [budget.callbacks for budget in watch.state(NOW).budgets] == [1]


def test_an_app_without_callbacks_has_a_budget_that_is_whole() -> None:
    make_app()
    [budget] = watch.state(NOW).budgets
    assert (budget.callbacks, budget.timeouts, budget.half_within, budget.most_within, budget.level) == (
        0,
        0,
        None,
        None,
        "ok",
    )


def test_each_app_has_its_own() -> None:
    apps = [make_app(name=name) for name in ("A", "B")]
    for number, app in enumerate(apps, start=1):
        answers(app, at("10:00"), _5=number)
    assert [(budget.name, budget.callbacks) for budget in watch.budgets(MIDNIGHT)] == [("A", 1), ("B", 2)]


@pytest.mark.parametrize(
    ("within", "half", "most"),
    [
        ({1: 1}, 1, 1),
        ({1: 50, 1000: 50}, 1, 1000),
        ({1: 49, 2: 51}, 2, 2),
        ({1: 99, SLOWEST: 1}, 1, 1),
        ({1: 98, SLOWEST: 2}, 1, None),
        ({SLOWEST: 1}, None, None),
    ],
)
def test_half_and_nearly_all_were_answered_within(within: dict[int, int], half: int | None, most: int | None) -> None:
    assert set(within) <= {*RANGES, SLOWEST}
    budget = Budget(1, "", within)
    assert (budget.half_within, budget.most_within) == (half, most)


@pytest.mark.parametrize(
    ("budget", "level"),
    [
        (Budget(1, "", {5: 100_000, 500: 10_000}), "ok"),
        (Budget(1, "", {SLOWEST: 99}), "ok"),
        (Budget(1, "", {SLOWEST: 100}), "warn"),
        (Budget(1, "", {1000: 499}), "ok"),
        (Budget(1, "", {1000: 500}), "warn"),
        (Budget(1, "", {SLOWEST: 500}), "bad"),
        (Budget(1, "", {}, refused=1), "bad"),
        (Budget(1, "", {}, not_admitted=1), "warn"),
        (Budget(1, "", {}, too_large=1), "warn"),
        (Budget(1, "", {SLOWEST: 500}, too_large=1), "bad"),
        (Budget(1, "", {}, held_up=True), "bad"),
    ],
)
def test_a_budget_gets_tight_long_before_it_is_used_up(budget: Budget, level: str) -> None:
    assert budget.level == level


def test_callbacks_that_were_lost_today_are_counted() -> None:
    app = make_app()
    for received_at, result, callbacks in (
        (at("00:00"), "not_stored", 3),
        (at("11:00"), "not_stored", 2),
        (at("11:00"), "read", 50),
        (at("23:59", days_ago=1), "not_stored", 9),
    ):
        Callback.objects.create(app=app, received_at=received_at, result=result, callbacks=callbacks)
    assert [budget.refused for budget in watch.budgets(MIDNIGHT)] == [5]


def test_callbacks_that_were_refused_today_are_counted_by_why() -> None:
    app, other = make_app(name="A"), make_app(name="B")
    for each, received_at, result, callbacks in (
        (app, at("00:00"), "not_admitted", 3),
        (app, at("11:00"), "not_admitted", 2),
        (app, at("11:00"), "too_large", 1),
        (app, at("23:59", days_ago=1), "too_large", 9),
        (other, at("11:00"), "too_large", 4),
        (other, at("11:00"), "wrong_method", 4),
    ):
        Callback.objects.create(app=each, received_at=received_at, result=result, callbacks=callbacks)
    assert [(budget.not_admitted, budget.too_large) for budget in watch.budgets(MIDNIGHT)] == [(5, 1), (0, 4)]


def test_the_budget_of_a_silent_app_is_not_well() -> None:
    app_that_is_silent_since("10:15")
    [budget] = watch.state(NOW).budgets
    assert budget.level == "bad"
    assert budget.silence == watch.state(NOW).apps[0].silence


# What waits for the database


@pytest.fixture
def nothing_waits_afterwards() -> Iterator[None]:
    yield
    backlog.note(0)


@pytest.mark.usefixtures("nothing_waits_afterwards")
def test_while_callbacks_wait_nobody_counts_as_silent_and_no_app_as_well() -> None:
    app_that_is_silent_since("10:15")
    backlog.note(3)
    state = watch.state(NOW)
    assert (state.waiting, state.waiting_since is not None) == (3, True)
    assert (state.apps, state.accounts) == ([], [])
    assert [budget.level for budget in state.budgets] == ["bad"]


@pytest.mark.usefixtures("nothing_waits_afterwards")
def test_who_seemed_silent_while_callbacks_waited_is_not_said_to_be_once_they_are_stored() -> None:
    app = app_that_is_silent_since("10:15")
    backlog.note(3)
    watch.state(NOW)
    answers(app, at("11:40"), _5=3)
    backlog.note(0)
    assert watch.state(NOW).apps == []


@pytest.mark.usefixtures("nothing_waits_afterwards")
def test_since_when_callbacks_wait_is_when_the_first_of_them_did() -> None:
    backlog.note(1)
    _, since = backlog.waiting()
    backlog.note(2)
    assert backlog.waiting() == (2, since)
    backlog.note(0)
    assert backlog.waiting() == (0, None)


# What came and could not be read


def test_callbacks_that_came_today_and_are_kept_are_counted() -> None:
    app = make_app()
    for number, received_at in enumerate((at("00:00"), at("11:00"), at("23:59", days_ago=1))):
        UnreadBody.objects.keep(app.pk, received_at, str(number).encode(), "no account")
    assert watch.state(NOW).unread == 2


# Silence


def test_an_app_that_has_fallen_silent_is_named() -> None:
    app = app_that_is_silent_since("10:15", name="Main")
    [silent] = watch.state(NOW).apps
    assert (silent.pk, silent.name) == (app.pk, "Main")
    assert (silent.silence.since, silent.silence.ends, silent.silence.days) == (at("10:15"), at("11:40"), 20)


def test_an_app_with_traffic_or_without_any_is_not_silent() -> None:
    app_that_is_silent_since("11:40")
    make_app()
    assert watch.state(NOW).apps == []


def test_silence_ends_with_the_next_callback() -> None:
    app = app_that_is_silent_since("10:15")
    assert len(watch.silent_apps(NOW)) == 1
    answers(app, at("11:40"), _5=1)
    assert watch.silent_apps(NOW) == []


def test_what_was_normal_is_looked_up_once_for_each_slot(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    app_that_is_silent_since("10:15")
    watch.silent_apps(NOW)
    with django_assert_num_queries(1):  # who has been heard since
        watch.silent_apps(NOW + timedelta(seconds=30))


def test_an_account_that_has_fallen_silent_is_named() -> None:
    app = app_with_traffic()
    account = account_that_is_silent_since("08:00", app)
    account_that_is_silent_since("11:00", app)
    [silent] = watch.state(NOW).accounts
    assert (silent.pk, silent.name, silent.silence.since) == (account.pk, account.wxid, at("08:00"))


def test_the_accounts_of_a_silent_app_are_not_named_as_well() -> None:
    account_that_is_silent_since("08:00", app_that_is_silent_since("08:00"))
    state = watch.state(NOW)
    assert (len(state.apps), len(state.accounts)) == (1, 0)


def test_an_accounts_silence_ends_with_the_next_notice() -> None:
    account = account_that_is_silent_since("08:00", app_with_traffic())
    assert len(watch.silent_accounts(NOW, [])) == 1
    AccountTraffic.objects.create(account=account, slot=at("11:00"), notices=1)
    assert watch.silent_accounts(NOW, []) == []


def test_an_account_that_is_seldom_called_is_not_silent() -> None:
    account = make_account(app_with_traffic())
    for back in range(1, 29, 3):
        AccountTraffic.objects.create(account=account, slot=at("10:00", back), notices=1)
    assert watch.state(NOW).accounts == []


def test_a_week_of_holidays_is_no_reason_to_take_silence_for_normal() -> None:
    account = account_that_is_silent_since("08:00", app := app_with_traffic())
    holidays = [at("00:00", 14), at("00:00", 7)]
    AnswerTime.objects.filter(app=app, slot__range=holidays).delete()
    AccountTraffic.objects.filter(account=account, slot__range=holidays).delete()
    assert [silent.pk for silent in watch.state(NOW).accounts] == [account.pk]


# How much is asked


def test_pages_that_ask_again_and_again_cost_nothing(django_assert_num_queries: DjangoAssertNumQueries) -> None:
    make_app()
    first = watch.state(NOW)
    with django_assert_num_queries(0):
        assert watch.state(NOW + timedelta(seconds=5)) == first


def test_what_many_ask_for_at_once_is_worked_out_once() -> None:
    worked = []
    all_asked = threading.Barrier(8)

    def work() -> str:
        worked.append(threading.get_ident())
        time_module.sleep(0.05)  # the others ask meanwhile
        return "result"

    def ask(_: int) -> str:
        all_asked.wait(5)
        return watch._remembered("key", 30, work)

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(ask, range(8))) == {"result"}
    assert len(worked) == 1


@pytest.mark.parametrize("number", [1, 20])
def test_the_same_is_asked_however_many_there_are(number: int, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    app = app_with_traffic()
    for _ in range(number):
        account_that_is_silent_since("08:00", app)
    with django_assert_num_queries(10):
        assert len(watch.state(NOW).accounts) == number
