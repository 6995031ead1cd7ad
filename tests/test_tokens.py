from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from calls import tokens
from calls.models import Attempt, Call, VendorApp
from calls.reject import reject
from calls.vendor import client
from calls.vendor.sandbox import Fault, Sandbox

from .factory import make_account, make_app, make_call, make_person
from .server import free_port
from .threads import at_once

REJECT, TOKEN = "/wechat/handleVoipCall", "/oauth/token"


def five_seconds() -> float:
    return 5.0


def reject_new_call(app: VendorApp) -> list[tuple[str, str]]:
    """Reject a call that is made for it; result and code of each request that it took."""
    call = make_call(make_account(app))
    reject(call.pk, make_person(password=None))
    return list(call.attempts.values_list("result", "errcode"))


def tokens_used(vendor: Sandbox) -> list[str]:
    return [body["access_token"] for body in vendor.rejects]


@pytest.mark.django_db
def test_two_rejects_fetch_one_token(sandbox: Sandbox) -> None:
    app = make_app(base_url=sandbox.url)
    reject_new_call(app)
    reject_new_call(app)
    assert tokens_used(sandbox) == sandbox.tokens * 2


@pytest.mark.django_db
def test_a_token_is_kept_in_the_database(sandbox: Sandbox) -> None:
    app = make_app(base_url=sandbox.url)
    reject_new_call(app)
    app.refresh_from_db()
    assert [app.token] == sandbox.tokens


@pytest.mark.django_db
def test_a_token_is_good_until_five_minutes_before_its_end(sandbox: Sandbox) -> None:
    app, before = make_app(base_url=sandbox.url), timezone.now()
    tokens.current(app, five_seconds)
    app.refresh_from_db()
    assert app.token_good_until
    assert before <= app.token_good_until - timedelta(seconds=7200 - 300) <= timezone.now()


@pytest.mark.django_db
def test_a_short_lived_token_is_good_for_half_its_life(sandbox: Sandbox) -> None:
    sandbox.token_lasts = 60
    app, before = make_app(base_url=sandbox.url), timezone.now()
    tokens.current(app, five_seconds)
    app.refresh_from_db()
    assert app.token_good_until
    assert before <= app.token_good_until - timedelta(seconds=30) <= timezone.now()


@pytest.mark.django_db
def test_a_token_near_its_end_is_renewed_before_it_is_used(sandbox: Sandbox) -> None:
    app = make_app(base_url=sandbox.url, token="old", token_good_until=timezone.now() - timedelta(seconds=1))
    assert reject_new_call(app) == [("accepted", "0")]
    assert tokens_used(sandbox) == sandbox.tokens


@dataclass
class RefusesOnce(Sandbox):
    """A vendor that meets the first reject with this code."""

    code: int | str = 0

    def answer(self, path: str, body: dict[str, Any], fault: Fault | None) -> dict[str, Any]:
        said = super().answer(path, body, fault)
        return {"errcode": self.code, "message": "no"} if path == REJECT and len(self.rejects) == 1 else said


@pytest.mark.django_db
@pytest.mark.parametrize("code", [110, 111, 112, "111"])
def test_a_token_that_the_vendor_no_longer_takes_is_renewed_and_the_call_rejected(code: int | str) -> None:
    with RefusesOnce(code=code) as vendor:
        assert reject_new_call(make_app(base_url=vendor.url)) == [("refused", str(code)), ("accepted", "0")]
        assert tokens_used(vendor) == vendor.tokens
        assert len(vendor.tokens) == 2
    assert Call.objects.get().outcome == Call.Outcome.REJECTED


@pytest.mark.django_db
@pytest.mark.parametrize("code", [101, 113, 406, 1001])
def test_another_refusal_is_no_reason_for_a_new_token(code: int) -> None:
    with RefusesOnce(code=code) as vendor:
        assert reject_new_call(make_app(base_url=vendor.url)) == [("refused", str(code))]
        assert len(vendor.tokens) == 1


@pytest.mark.django_db
def test_a_token_from_before_a_restart_that_another_replaced_is_renewed(sandbox: Sandbox) -> None:
    sandbox.tokens.append("somebody else's")
    app = make_app(base_url=sandbox.url, token="ours", token_good_until=timezone.now() + timedelta(hours=1))
    assert reject_new_call(app) == [("refused", "110"), ("accepted", "0")]


@pytest.mark.django_db
def test_a_token_that_always_has_expired_makes_two_attempts_and_no_more(sandbox: Sandbox) -> None:
    sandbox.misbehave(REJECT, "token-expired-always", always=True)
    assert reject_new_call(make_app(base_url=sandbox.url)) == [("refused", "111"), ("refused", "111")]
    assert len(sandbox.rejects) == 2


@pytest.mark.django_db
def test_a_fixed_token_is_used(sandbox: Sandbox) -> None:
    sandbox.tokens.append("fixed")
    assert reject_new_call(make_app(base_url=sandbox.url, app_secret="", access_token="fixed")) == [("accepted", "0")]


@pytest.mark.django_db
def test_a_fixed_token_is_never_renewed(sandbox: Sandbox) -> None:
    app = make_app(base_url=sandbox.url, access_token="fixed")
    assert reject_new_call(app) == [("refused", "110")]
    assert (sandbox.tokens, len(sandbox.rejects)) == ([], 1)


@pytest.mark.django_db
def test_a_wrong_secret_makes_one_attempt_and_no_reject_request(sandbox: Sandbox) -> None:
    assert reject_new_call(make_app(base_url=sandbox.url, app_secret="wrong")) == [("refused", "102")]
    assert sandbox.rejects == []


@pytest.mark.django_db
def test_each_app_has_a_token_of_its_own(sandbox: Sandbox) -> None:
    with Sandbox(app_id="another") as other:
        reject_new_call(make_app(base_url=sandbox.url))
        reject_new_call(make_app(base_url=other.url, app_id="another"))
        assert (tokens_used(sandbox), tokens_used(other)) == (sandbox.tokens, other.tokens)


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["broken", "server-error", "lost"])
def test_without_a_token_nothing_was_asked(sandbox: Sandbox, fault: Fault) -> None:
    sandbox.misbehave(TOKEN, fault, always=True)
    assert reject_new_call(make_app(base_url=sandbox.url)) == [("not_sent", "")] * 3
    assert sandbox.rejects == []


@pytest.mark.django_db
@pytest.mark.parametrize("fault", ["broken", "server-error", "lost"])
def test_a_token_that_comes_at_the_second_try_is_soon_enough(sandbox: Sandbox, fault: Fault) -> None:
    sandbox.misbehave(TOKEN, fault)
    assert reject_new_call(make_app(base_url=sandbox.url)) == [("not_sent", ""), ("accepted", "0")]
    assert len(sandbox.rejects) == 1


@pytest.mark.django_db
def test_the_record_says_that_it_was_the_token_that_could_not_be_had(sandbox: Sandbox) -> None:
    sandbox.misbehave(TOKEN, "broken")
    reject_new_call(make_app(base_url=sandbox.url))
    first = Attempt.objects.earliest("pk")
    assert first.message == "no access token: HTTP 200: the answer is no JSON object"


@pytest.mark.django_db
def test_a_vendor_that_is_away_gives_no_token() -> None:
    app = make_app(base_url=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(client.NotSent):
        tokens.current(app, five_seconds)


@pytest.mark.django_db
def test_a_failed_renewal_does_not_stand_in_the_way_of_the_next(sandbox: Sandbox) -> None:
    sandbox.misbehave(TOKEN, "lost")
    app = make_app(base_url=sandbox.url)
    with pytest.raises(client.NotSent):
        tokens.current(app, five_seconds)
    assert [tokens.current(app, five_seconds)] == sandbox.tokens[-1:]


@pytest.mark.django_db(transaction=True)
def test_ten_threads_without_a_token_fetch_one(sandbox: Sandbox) -> None:
    pk = make_app(base_url=sandbox.url).pk
    got = at_once(10, lambda _number: tokens.current(VendorApp.objects.get(pk=pk), five_seconds))
    assert got == sandbox.tokens * 10


@pytest.mark.django_db(transaction=True)
def test_ten_threads_whose_token_was_refused_fetch_one(sandbox: Sandbox) -> None:
    pk = make_app(base_url=sandbox.url, token="old", token_good_until=timezone.now() + timedelta(hours=1)).pk
    got = at_once(10, lambda _number: tokens.current(VendorApp.objects.get(pk=pk), five_seconds, not_this="old"))
    assert got == sandbox.tokens * 10


@pytest.mark.django_db(transaction=True)
def test_ten_rejects_with_an_expired_token_renew_it_once(sandbox: Sandbox) -> None:
    sandbox.tokens.append("new")
    app = make_app(base_url=sandbox.url, token="old", token_good_until=timezone.now() + timedelta(hours=1))
    calls, person = [make_call(make_account(app)) for _ in range(10)], make_person(password=None)
    at_once(10, lambda number: reject(calls[number].pk, person))
    assert set(Call.objects.values_list("outcome", flat=True)) == {Call.Outcome.REJECTED}
    assert len(sandbox.tokens) == 2
