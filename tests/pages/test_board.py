from __future__ import annotations

from datetime import timedelta

import pytest
from django.template.loader import render_to_string
from django.test import Client
from django.utils import timezone, translation
from pytest_django import DjangoAssertNumQueries

from calls.live import render
from calls.models import Attempt, Call, Person, Reason, Team
from calls.models.person import Sight
from calls.vendor.sandbox import Sandbox

from ..databases import locked_database
from ..factory import (
    make_account,
    make_app,
    make_attempt,
    make_call,
    make_calls,
    make_client,
    make_contact,
    make_person,
    make_team,
)
from ..threads import at_once
from .reading import HARMLESS, HOSTILE, cards, text_of, words_of

pytestmark = pytest.mark.django_db

REJECT = "/wechat/handleVoipCall"
HTMX = {"HX-Request": "true"}
Role, Outcome, Result = Person.Role, Call.Outcome, Attempt.Result


def supervisor(**options: object) -> Client:
    return make_client(make_person(password=None, role=Role.SUPERVISOR), **options)


def admin() -> Client:
    return make_client(make_person(password=None, role=Role.ADMIN))


def call_at(vendor: Sandbox, **fields: object) -> Call:
    """A call whose account can be rejected for at this vendor without fetching a token first."""
    vendor.tokens.append("fixed")
    return make_call(make_account(make_app(base_url=vendor.url, access_token="fixed")), **fields)


# What rings, and what has ended


def test_a_thousand_that_ring_are_shown_beside_those_that_are_being_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(render, "RINGING_SHOWN", 3)
    account = make_account()
    make_calls(5, account)
    handled = make_call(account, outcome=Outcome.UNCONFIRMED)
    board = render.board_for(Sight(all=True))
    assert [call.status for call in board.ringing] == ["ringing"] * 3 + ["unconfirmed"]
    assert (board.ringing[-1], board.more) == (handled, 2)


def test_somebody_in_no_team_is_told_why_nothing_rings() -> None:
    assert "You are in no team yet" in words_of(make_client(make_person(password=None)).get("/"))
    assert "You are in no team yet" not in words_of(make_client(make_person(make_team(), password=None)).get("/"))


def test_accounts_without_a_team_beyond_those_listed_are_counted() -> None:
    app = make_app()
    for _ in range(23):
        make_account(app, team=None)
    assert "and 3 more" in words_of(supervisor().get("/"))


def test_the_vendor_is_not_connected_without_a_way_to_a_token() -> None:
    app = make_app(app_secret="")
    page = text_of(admin().get("/"))
    assert f'href="/admin/calls/vendorapp/{app.pk}/change/">Add the app_secret or the access_token</a>' in page


def test_ringing_calls_are_shown_oldest_first() -> None:
    now = timezone.now()
    newer, older = make_call(received_at=now), make_call(received_at=now - timedelta(seconds=9))
    assert list(cards(supervisor().get("/")).items()) == [(older.pk, "ringing"), (newer.pk, "ringing")]


def test_ended_calls_follow_newest_first() -> None:
    now = timezone.now()
    older = make_call(received_at=now - timedelta(minutes=9))
    newer = make_call(received_at=now - timedelta(minutes=8), outcome=Outcome.REJECTED)
    ringing = make_call()
    shown = cards(supervisor().get("/"))
    assert list(shown.items()) == [(ringing.pk, "ringing"), (newer.pk, "rejected"), (older.pk, "missed")]


def test_a_card_says_who_calls_whom_and_how_often_before() -> None:
    account = make_account(name="小林", team=make_team(name="售后"))
    contact = make_contact(account.app, nickname="王秀英")
    make_call(account, timezone.now() - timedelta(days=1), contact=contact)
    make_call(account, contact=contact, kind=Call.Kind.VIDEO)
    words = words_of(supervisor().get("/"))
    for part in ("王秀英", "Video", "小林 ( 售后 )", "called once before"):
        assert part in words


def test_a_contact_without_a_nickname_goes_by_their_id() -> None:
    account = make_account()
    make_call(account, contact=make_contact(account.app, wxid="7881302848173300"))
    assert "User 7881302848173300" in words_of(supervisor().get("/"))


@pytest.mark.parametrize(("ringing", "more"), [(1000, 0), (1001, 1), (1007, 7)])
def test_a_thousand_calls_are_shown_and_how_many_more_ring(ringing: int, more: int) -> None:
    make_calls(ringing)
    page = supervisor().get("/")
    assert len(cards(page)) == 1000
    assert f'data-more="{more}"' in text_of(page)


@pytest.mark.parametrize(
    ("ringing", "words"),
    [(1001, "and 1 more call rings"), (1002, "and 2 more calls ring"), (3001, "and 2001 more calls ring")],
)
def test_what_does_not_fit_is_said_in_words(ringing: int, words: str) -> None:
    make_calls(ringing)
    assert words in words_of(supervisor().get("/"))


def test_the_thousand_that_are_shown_are_the_oldest() -> None:
    calls = make_calls(1001)
    assert list(cards(supervisor().get("/"))) == [call.pk for call in calls[:1000]]


# Who sees what


def test_an_agent_sees_the_calls_of_their_teams() -> None:
    ours, theirs = make_team(), make_team()
    seen = make_call(make_account(team=ours))
    make_call(make_account(team=theirs))
    make_call(make_account(team=None))
    assert list(cards(make_client(make_person(ours, password=None)).get("/"))) == [seen.pk]


def test_an_agent_without_a_team_sees_no_call() -> None:
    make_call(make_account(team=None))
    make_call(make_account(team=make_team()))
    assert cards(make_client(make_person(password=None)).get("/")) == {}


@pytest.mark.parametrize("fields", [{"all_accounts": True}, {"role": Role.SUPERVISOR}, {"role": Role.ADMIN}])
def test_who_may_see_all_sees_every_call(fields: dict[str, object]) -> None:
    calls = {make_call(make_account(team=team)).pk for team in (None, make_team(), make_team())}
    assert set(cards(make_client(make_person(password=None, **fields)).get("/"))) == calls


def test_accounts_without_a_team_are_shown_to_supervisors() -> None:
    make_account(name="小林", team=None)
    make_account(name="老陈", team=make_team())
    words = words_of(supervisor().get("/"))
    assert ("小林" in words, "老陈" in words) == (True, False)


def test_accounts_without_a_team_are_not_shown_to_agents() -> None:
    make_account(name="小林", team=None)
    assert "小林" not in words_of(make_client(make_person(password=None, all_accounts=True)).get("/"))


@pytest.mark.parametrize(("role", "linked"), [(Role.SUPERVISOR, False), (Role.ADMIN, True)])
def test_an_account_without_a_team_leads_admins_to_its_form(role: Person.Role, linked: bool) -> None:
    account = make_account(team=None)
    page = make_client(make_person(password=None, role=role)).get("/")
    assert (f'href="/admin/calls/account/{account.pk}/change/"' in text_of(page)) == linked


# First steps


def steps_done(client: Client) -> list[bool]:
    page = text_of(client.get("/"))
    return ['class="done"' in item for item in page.split('class="panel steps"')[1].split("</section>")[0].split("<li")[1:]]


def test_an_admin_of_an_empty_installation_is_shown_the_first_steps() -> None:
    assert steps_done(admin()) == [False, False, False]


def test_the_first_step_is_done_once_a_vendor_app_is_there() -> None:
    make_app()
    assert steps_done(admin()) == [True, False, False]


def test_the_second_step_shows_the_callback_address() -> None:
    app = make_app()
    assert app.callback_url in words_of(admin().get("/"))


def test_the_second_step_is_done_once_a_call_has_come() -> None:
    make_call()
    assert steps_done(admin()) == [True, True, False]


def test_the_third_step_is_done_once_there_is_an_agent() -> None:
    make_person(password=None)
    assert steps_done(admin()) == [False, False, True]


def test_the_first_steps_leave_once_all_are_done() -> None:
    make_call()
    make_person(password=None)
    assert "First steps" not in words_of(admin().get("/"))


def test_only_admins_are_shown_the_first_steps() -> None:
    assert "First steps" not in words_of(supervisor().get("/"))


# Reject


def test_a_click_answers_with_the_card(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    answer = supervisor().post(f"/calls/{call.pk}/reject/", headers=HTMX)
    assert (answer.status_code, cards(answer)) == (200, {call.pk: "rejected"})


def test_the_answer_to_a_click_is_the_card_and_nothing_else(sandbox: Sandbox) -> None:
    answer = text_of(supervisor().post(f"/calls/{call_at(sandbox).pk}/reject/", headers=HTMX)).strip()
    assert answer.startswith("<article ")
    assert answer.endswith("</article>")


def test_without_htmx_a_click_leads_back_to_the_board(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    answer = supervisor().post(f"/calls/{call.pk}/reject/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/")
    assert Call.objects.get().outcome == Outcome.REJECTED


def test_the_card_of_a_rejected_call_says_by_whom_and_how_long_the_vendor_took(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    client = make_client(make_person(password=None, role=Role.SUPERVISOR, name="Ada"))
    words = words_of(client.post(f"/calls/{call.pk}/reject/", headers=HTMX))
    assert f"Rejected Ada · errcode 0 · {Attempt.objects.get().milliseconds} ms" in words


def test_a_refused_call_that_is_over_says_the_reason_and_the_code_too() -> None:
    call = make_call(outcome=Outcome.REFUSED, rings_until=timezone.now() - timedelta(seconds=1))
    make_attempt(call, make_person(password=None), result=Result.REFUSED, errcode="1001")
    assert "the vendor's base service failed (1001)" in words_of(supervisor().get("/"))


def test_a_refused_call_rings_on_with_the_reason_and_the_code(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    sandbox.misbehave(REJECT, "limit")
    answer = supervisor().post(f"/calls/{call.pk}/reject/", headers=HTMX)
    assert (answer.status_code, cards(answer)) == (200, {call.pk: "ringing"})
    assert "over the vendor's limit of requests (407). Wait a moment, then try again." in words_of(answer)


def test_a_call_without_a_clear_answer_is_unconfirmed_and_can_be_tried_again(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    sandbox.misbehave(REJECT, "lost")
    answer = supervisor().post(f"/calls/{call.pk}/reject/", headers=HTMX)
    assert (answer.status_code, cards(answer)) == (200, {call.pk: "unconfirmed"})
    assert "Retry" in words_of(answer)


def test_a_second_click_is_told_who_was_first(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    first = make_person(password=None, role=Role.SUPERVISOR, name="Ada")
    make_client(first).post(f"/calls/{call.pk}/reject/", headers=HTMX)
    answer = supervisor().post(f"/calls/{call.pk}/reject/", headers=HTMX)
    assert (answer.status_code, cards(answer)) == (200, {call.pk: "rejected"})
    assert "Ada was first. You need not do anything." in words_of(answer)
    assert len(sandbox.rejects) == 1


def test_a_click_while_somebody_is_rejecting_is_told_who(sandbox: Sandbox) -> None:
    first = make_person(password=None, name="Ada")
    call = call_at(sandbox)
    Call.objects.claim(call.pk, first)
    answer = supervisor().post(f"/calls/{call.pk}/reject/", headers=HTMX)
    assert cards(answer) == {call.pk: "rejecting"}
    assert "Ada is rejecting… Ada was first." in words_of(answer)


def test_who_clicks_first_is_not_told_that_they_were(sandbox: Sandbox) -> None:
    answer = supervisor().post(f"/calls/{call_at(sandbox).pk}/reject/", headers=HTMX)
    assert "was first" not in words_of(answer)


@pytest.mark.parametrize(
    "fields",
    [
        {"received_at": timezone.now() - timedelta(hours=1)},
        {"ended_at": timezone.now(), "outcome": Outcome.ENDED},
        {"received_at": timezone.now() - timedelta(hours=1), "outcome": Outcome.UNCONFIRMED},
    ],
)
def test_a_click_on_a_call_that_is_over_is_told_so(sandbox: Sandbox, fields: dict[str, object]) -> None:
    answer = supervisor().post(f"/calls/{call_at(sandbox, **fields).pk}/reject/", headers=HTMX)
    assert "Too late: this call is over." in words_of(answer)
    assert sandbox.rejects == []


def test_a_click_on_a_call_that_a_rule_rejected_names_nobody(sandbox: Sandbox) -> None:
    call = call_at(sandbox, outcome=Outcome.RULE)
    assert "None" not in words_of(supervisor().post(f"/calls/{call.pk}/reject/", headers=HTMX))


@pytest.mark.parametrize("outcome", [Outcome.REFUSED, Outcome.UNCONFIRMED, Outcome.MISSED])
def test_a_click_that_lost_to_one_that_failed_is_not_told_that_the_call_is_over(outcome: Call.Outcome) -> None:
    """The vendor refused the first click just before the second was answered: the call rings on."""
    first = make_person(password=None, name="Ada")
    call = make_call(outcome=outcome, claimed_by=first)
    result = {Outcome.REFUSED: Result.REFUSED, Outcome.UNCONFIRMED: Result.UNCONFIRMED}.get(outcome, Result.NOT_SENT)
    make_attempt(call, first, result=result, errcode="")
    with translation.override("en"):
        card = render_to_string("board/_card.html", {"call": Call.objects.for_card().get(), "too_late": True})
    assert "Too late" not in card
    assert "Retry" in card


@pytest.mark.django_db(transaction=True)
def test_twenty_clicks_at_once_make_one_request_and_name_who_was_first(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    people = [make_person(password=None, all_accounts=True, name=f"Ada {number}.") for number in range(20)]
    clients = [make_client(person) for person in people]
    answers = at_once(20, lambda number: clients[number].post(f"/calls/{call.pk}/reject/", headers=HTMX))
    winner = Call.objects.get().claimed_by
    assert len(sandbox.rejects) == 1
    assert {answer.status_code for answer in answers} == {200}
    assert [f"{winner} was first" in words_of(answer) for answer in answers] == [person != winner for person in people]


@pytest.mark.parametrize(("htmx", "header"), [({}, "Location"), (HTMX, "HX-Redirect")])
def test_a_click_of_somebody_signed_out_leads_to_the_sign_in(sandbox: Sandbox, htmx: dict[str, str], header: str) -> None:
    answer = make_client().post(f"/calls/{call_at(sandbox).pk}/reject/", headers=htmx)
    assert answer.headers[header].startswith("/login/")
    assert sandbox.rejects == []


def test_a_click_with_a_one_time_password_rejects_nothing(sandbox: Sandbox) -> None:
    client = make_client(make_person(password=None, role=Role.SUPERVISOR, must_change_password=True))
    client.post(f"/calls/{call_at(sandbox).pk}/reject/", headers=HTMX)
    assert sandbox.rejects == []


def test_a_reject_is_a_post(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    assert supervisor().get(f"/calls/{call.pk}/reject/").status_code == 405
    assert sandbox.rejects == []


def test_a_click_without_a_csrf_token_is_refused(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    assert supervisor(enforce_csrf_checks=True).post(f"/calls/{call.pk}/reject/").status_code == 403
    assert sandbox.rejects == []


def test_htmx_without_a_csrf_token_loads_the_page_anew(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    answer = supervisor(enforce_csrf_checks=True).post(f"/calls/{call.pk}/reject/", headers=HTMX)
    assert answer.headers["HX-Refresh"] == "true"
    assert sandbox.rejects == []


def test_a_click_with_the_pages_csrf_token_counts(sandbox: Sandbox) -> None:
    call, client = call_at(sandbox), supervisor(enforce_csrf_checks=True)
    client.get("/")
    headers = HTMX | {"X-CSRFToken": client.cookies["csrftoken"].value}
    assert cards(client.post(f"/calls/{call.pk}/reject/", headers=headers)) == {call.pk: "rejected"}


@pytest.mark.parametrize("htmx", [{}, HTMX])
def test_another_teams_call_is_not_there_to_reject(sandbox: Sandbox, htmx: dict[str, str]) -> None:
    call = call_at(sandbox)
    call.account.team = make_team()
    call.account.save()
    client = make_client(make_person(make_team(), password=None))
    assert client.post(f"/calls/{call.pk}/reject/", headers=htmx).status_code == 404
    assert sandbox.rejects == []


def test_a_call_to_an_account_in_no_team_is_not_there_for_agents(sandbox: Sandbox) -> None:
    client = make_client(make_person(make_team(), password=None))
    assert client.post(f"/calls/{call_at(sandbox).pk}/reject/").status_code == 404


@pytest.mark.parametrize("pk", ["0", "9" * 18, "9" * 40])
def test_a_call_that_nobody_knows_is_not_there(pk: str) -> None:
    assert supervisor().post(f"/calls/{pk}/reject/").status_code == 404


def test_an_agent_rejects_a_call_of_their_team(sandbox: Sandbox) -> None:
    call, team = call_at(sandbox), make_team()
    call.account.team = team
    call.account.save()
    answer = make_client(make_person(team, password=None)).post(f"/calls/{call.pk}/reject/", headers=HTMX)
    assert cards(answer) == {call.pk: "rejected"}


# Strangers' texts


def hostile_call(**fields: object) -> Call:
    account = make_account(name=HOSTILE[:60], team=make_team(name=HOSTILE[:60]))
    person = make_person(password=None, name=HOSTILE[:60])
    call = make_call(account, contact=make_contact(account.app, nickname=HOSTILE), claimed_by=person, **fields)
    make_attempt(call, person, result=Result.REFUSED, errcode="<i>1</i>", message=HOSTILE, answer=HOSTILE)
    return call


@pytest.mark.parametrize("outcome", [Outcome.MISSED, Outcome.REFUSED, Outcome.UNCONFIRMED, Outcome.REJECTED])
@pytest.mark.parametrize("claimed_until", [None, timezone.now() + timedelta(hours=1)])
def test_no_text_of_strangers_is_taken_for_html(outcome: Call.Outcome, claimed_until: object) -> None:
    hostile_call(outcome=outcome, claimed_until=claimed_until)
    page = text_of(admin().get("/"))
    assert HARMLESS in page
    assert [part for part in ("<script>alert", "<img src=x", "<i>1</i>") if part in page] == []


def test_no_text_of_strangers_in_the_answer_to_a_click_is_taken_for_html() -> None:
    call = hostile_call(outcome=Outcome.REJECTED)
    answer = text_of(admin().post(f"/calls/{call.pk}/reject/", headers=HTMX))
    assert HARMLESS in answer
    assert "<script" not in answer
    assert "<img" not in answer


# A database that is locked


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("headers", "status", "words"),
    [
        (HTMX, 200, "Nothing was sent: the database is busy. Try again."),
        ({}, 503, "Nothing was sent to the vendor. Go back to the calls and try again."),
    ],
)
def test_a_click_that_the_database_cannot_take_is_told_that_nothing_was_sent(
    sandbox: Sandbox, headers: dict[str, str], status: int, words: str
) -> None:
    call, client = call_at(sandbox), supervisor()
    with locked_database():
        [answer] = at_once(1, lambda _number: client.post(f"/calls/{call.pk}/reject/", headers=headers))
    assert answer.status_code == status
    assert words in answer.content.decode()
    assert sandbox.rejects == []


# How much is asked of the database


def busy_board(number: int) -> list[Call]:
    """So many calls that ring, and as many that are over; all with an attempt."""
    person = make_person(password=None)
    accounts = [make_account(team=make_team()) for _ in range(5)]
    ringing = [call for account in accounts for call in make_calls(number // 5, account, claimed_by=person)]
    over = [call for account in accounts for call in make_calls(number // 5, account, outcome=Outcome.REJECTED)]
    Attempt.objects.bulk_create(
        Attempt(call=call, person=person, started_at=call.received_at, result=Result.REFUSED) for call in ringing + over
    )
    return ringing


@pytest.mark.parametrize("number", [10, 1000])
def test_a_board_takes_the_same_queries_however_much_rings(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    busy_board(number)
    client = supervisor()
    with django_assert_num_queries(11):
        page = client.get("/")
    assert len(cards(page)) == min(number, 1000) + min(number, 20)


@pytest.mark.parametrize("number", [10, 1000])
def test_a_click_takes_the_same_queries_however_much_rings(
    number: int, sandbox: Sandbox, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    busy_board(number)
    call, client = call_at(sandbox), supervisor()
    with django_assert_num_queries(16):
        client.post(f"/calls/{call.pk}/reject/", headers=HTMX)


@pytest.mark.parametrize("number", [10, 1000])
def test_a_lost_click_takes_the_same_queries_however_much_rings(
    number: int, sandbox: Sandbox, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    busy_board(number)
    call, client = call_at(sandbox, outcome=Outcome.REJECTED), supervisor()
    with django_assert_num_queries(7):
        client.post(f"/calls/{call.pk}/reject/", headers=HTMX)


# Reasons


def reasons_of(team: Team | None, *texts: str) -> list[Reason]:
    return [Reason.objects.create(team=team, text=text, place=place) for place, text in enumerate(texts)]


def test_a_click_can_carry_a_reason_of_the_list(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    [reason] = reasons_of(None, "in a meeting")
    answer = supervisor().post(f"/calls/{call.pk}/reject/", {"reason": reason.pk}, headers=HTMX)
    assert call.attempts.get().reason == "in a meeting"
    assert "in a meeting" in words_of(answer)


def test_a_click_without_a_reason_has_none(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    reasons_of(None, "in a meeting")
    supervisor().post(f"/calls/{call.pk}/reject/", {"reason": ""}, headers=HTMX)
    assert call.attempts.get().reason == ""


@pytest.mark.parametrize("reason", ["0", "99999999999999999999", "-1", "x", "٣"])
def test_a_reason_that_is_in_no_list_costs_no_click(sandbox: Sandbox, reason: str) -> None:
    call = call_at(sandbox)
    supervisor().post(f"/calls/{call.pk}/reject/", {"reason": reason}, headers=HTMX)
    assert (call.attempts.get().result, call.attempts.get().reason) == (Result.ACCEPTED, "")


def test_another_teams_reason_counts_for_no_call_of_this_team(sandbox: Sandbox) -> None:
    call = call_at(sandbox)
    [reason] = reasons_of(make_team(), "theirs")
    supervisor().post(f"/calls/{call.pk}/reject/", {"reason": reason.pk}, headers=HTMX)
    assert call.attempts.get().reason == ""


def test_a_team_with_a_list_of_its_own_does_not_have_the_general_one() -> None:
    team = make_team()
    own, general = reasons_of(team, "ours"), reasons_of(None, "general")
    assert list(Reason.objects.of_team(team.pk)) == own
    assert list(Reason.objects.of_team(make_team().pk)) == list(Reason.objects.of_team(None)) == general


def test_a_board_has_the_lists_of_the_teams_that_its_person_sees_and_no_others() -> None:
    mine, other = make_team(), make_team()
    reasons_of(mine, "mine-1", "mine-2"), reasons_of(other, "not-mine"), reasons_of(None, "for-all")
    page = text_of(make_client(make_person(mine, password=None)).get("/"))
    assert "mine-1" in page
    assert "for-all" in page
    assert "not-mine" not in page
    assert "not-mine" in text_of(supervisor().get("/"))


def test_a_repeated_attempt_keeps_its_reason(sandbox: Sandbox) -> None:
    call = make_call(make_account(make_app(base_url=sandbox.url)))
    [reason] = reasons_of(None, "in a meeting")
    sandbox.misbehave(REJECT, "token-expired")
    supervisor().post(f"/calls/{call.pk}/reject/", {"reason": reason.pk}, headers=HTMX)
    assert [attempt.reason for attempt in call.attempts.all()] == ["in a meeting"] * 2


def test_the_page_of_a_call_tells_the_reason() -> None:
    call = make_call(outcome=Outcome.REJECTED)
    make_attempt(call, make_person(password=None), reason="in a meeting")
    assert "in a meeting" in words_of(supervisor().get(f"/history/{call.pk}/"))


# The wall


def test_the_wall_screen_shows_the_calls_alone() -> None:
    make_account()  # without a team, of which the board tells
    page = text_of(admin().get("/wall/"))
    assert 'id="ringing"' in page
    assert "data-wall" in page
    assert "Accounts without a team" not in page
    assert "First steps" not in page


@pytest.mark.parametrize("path", ["/", "/wall/"])
def test_nobody_sees_a_board_without_a_sign_in(path: str) -> None:
    assert make_client().get(path).status_code == 302
