from __future__ import annotations

import html
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from calls.models import Attempt, Call, Note, Person, RawNotice, Team
from calls.vendor.sandbox import Sandbox
from dashboard.pages.call import OTHER_CALLS

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
from .reading import HARMLESS, HOSTILE, said, text_of, words_of

pytestmark = pytest.mark.django_db

Role, Outcome, Result = Person.Role, Call.Outcome, Attempt.Result


def supervisor() -> Client:
    return make_client(make_person(password=None, role=Role.SUPERVISOR))


def words(call: Call) -> str:
    return words_of(supervisor().get(f"/history/{call.pk}/"))


def others_on(call: Call, client: Client | None = None) -> str:
    """The part of the page with the contact's other calls."""
    return text_of((client or supervisor()).get(f"/history/{call.pk}/")).split("panel others")[1]


def test_a_call_page_shows_what_is_known_of_a_call() -> None:
    account = make_account(name="小林", wxid="1688851873049028", team=make_team(name="售后"))
    contact = make_contact(account.app, nickname="王秀英", wxid="7881302848173300")
    shown = words(make_call(account, contact=contact, voipid="18446744073709551617", kind=Call.Kind.VIDEO))
    for part in ("王秀英", "7881302848173300", "小林", "1688851873049028", "售后", "18446744073709551617", "Video"):
        assert part in shown


def test_each_attempt_is_shown_with_its_author_and_the_raw_answer() -> None:
    call = make_call()
    first, second = make_person(password=None, name="Ada"), make_person(password=None, name="Bea")
    refused = '{"errcode": 1001, "message": "base service failed"}'
    make_attempt(call, first, result=Result.REFUSED, errcode="1001", message="base service failed", answer=refused)
    make_attempt(call, second, answer='{"errcode": 0}', milliseconds=412)
    shown = words(call)
    for part in ("Ada rejects. Not rejected", "(1001)", refused, "Bea rejects. Accepted", '{"errcode": 0}', "412 ms"):
        assert part in shown


def test_attempts_are_shown_in_the_order_in_which_they_were_made() -> None:
    call, person = make_call(), make_person(password=None)
    for answer in ("first", "second", "third"):
        make_attempt(call, person, answer=f"the {answer} answer")
    shown = words(call)
    places = [shown.index(f"the {answer} answer") for answer in ("first", "second", "third")]
    assert places == sorted(places)


def test_what_the_vendor_really_answered_is_shown(sandbox: Sandbox) -> None:
    call, client = make_call(make_account(make_app(base_url=sandbox.url))), supervisor()
    sandbox.misbehave("/wechat/handleVoipCall", "server-error")
    client.post(f"/calls/{call.pk}/reject/")
    page = text_of(client.get(f"/history/{call.pk}/"))
    assert html.escape("<html><h1>502 Bad Gateway</h1></html>") in page


@pytest.mark.parametrize("result", Result)
def test_every_result_is_shown(result: Attempt.Result) -> None:
    call = make_call()
    make_attempt(call, make_person(password=None, name="Ada"), result=result, errcode="", milliseconds=None)
    assert "Ada rejects." in words(call)


def test_the_first_screen_that_showed_it_is_shown_and_on_how_many_it_was() -> None:
    call = make_call(screens=3, screens_with_sound=2)
    assert "on a screen" not in words(call)
    call.shown_at = call.received_at + timedelta(milliseconds=38)
    call.save()
    assert "First shown on a screen, 38 ms after on 3 screens · on 2 with sound" in words(call)


def test_a_screen_that_showed_it_late_is_told_in_seconds() -> None:
    call = make_call(screens=1)
    call.shown_at = call.received_at + timedelta(seconds=6.24)
    call.save()
    assert "First shown on a screen, 6.2 s after on 1 screen · on 0 with sound" in words(call)


def test_a_call_on_no_screen_is_said_to_be_seen_by_nobody() -> None:
    shown = words(make_call(received_at=timezone.now() - timedelta(hours=1)))
    assert "Missed Nobody saw it" in shown
    assert "no screen has shown this call" in shown


def test_a_call_that_still_rings_is_not_said_to_be_seen_by_nobody() -> None:
    assert "Nobody saw it" not in words(make_call())


def test_the_vendors_clock_is_shown_where_it_says_when_the_customer_called() -> None:
    assert "by the vendor's clock" not in words(make_call())
    assert "The customer called, by the vendor's clock" in words(make_call(called_at=timezone.now()))


def test_an_end_notice_is_shown() -> None:
    call = make_call(outcome=Outcome.ENDED, ended_at=timezone.now())
    assert "The vendor said that the call has ended" in words(call)


def test_the_end_of_the_ring_window_is_shown_where_that_was_the_end() -> None:
    call = make_call(received_at=timezone.now() - timedelta(hours=1))
    assert "The ring window ran out" in words(call)


@pytest.mark.parametrize("outcome", [Outcome.REJECTED, Outcome.RULE])
def test_the_ring_window_of_a_rejected_call_is_nobodys_concern(outcome: Call.Outcome) -> None:
    call = make_call(received_at=timezone.now() - timedelta(hours=1), outcome=outcome)
    assert "The ring window ran out" not in words(call)


# The contact's other calls


def test_other_calls_of_the_same_contact_are_linked() -> None:
    account = make_account()
    contact = make_contact(account.app)
    call, other = make_call(account, contact=contact), make_call(account, contact=contact)
    assert f'href="/history/{other.pk}/"' in others_on(call)


def test_a_call_is_not_among_its_others() -> None:
    call = make_call()
    assert f'href="/history/{call.pk}/"' not in others_on(call)


def test_calls_of_other_contacts_are_not_linked() -> None:
    account = make_account()
    call, other = make_call(account), make_call(account)
    assert f'href="/history/{other.pk}/"' not in others_on(call)


def test_other_calls_to_another_teams_account_are_not_shown() -> None:
    app, ours = make_app(), make_team()
    contact = make_contact(app)
    call = make_call(make_account(app, team=ours), contact=contact)
    hidden = make_call(make_account(app, team=make_team(), name="Theirs"), contact=contact)
    shown = others_on(call, make_client(make_person(ours, password=None)))
    assert (f"/history/{hidden.pk}/" in shown, "Theirs" in shown) == (False, False)


# Who may look


def test_another_teams_call_is_not_there() -> None:
    call = make_call(make_account(team=make_team()))
    assert make_client(make_person(make_team(), password=None)).get(f"/history/{call.pk}/").status_code == 404


def test_an_agent_without_a_team_is_shown_no_call() -> None:
    call = make_call(make_account(team=None))
    assert make_client(make_person(password=None)).get(f"/history/{call.pk}/").status_code == 404


def test_an_agent_looks_at_the_calls_of_their_team() -> None:
    team = make_team()
    call = make_call(make_account(team=team))
    assert make_client(make_person(team, password=None)).get(f"/history/{call.pk}/").status_code == 200


@pytest.mark.parametrize("pk", ["0", "9" * 18, "9" * 40])
def test_a_call_that_nobody_knows_is_not_there(pk: str) -> None:
    assert supervisor().get(f"/history/{pk}/").status_code == 404


def test_a_call_page_is_only_read() -> None:
    assert supervisor().post(f"/history/{make_call().pk}/").status_code == 405


# Strangers' texts


def test_no_text_of_strangers_is_taken_for_html() -> None:
    account = make_account(name=HOSTILE[:60], wxid="<script>", team=make_team(name=HOSTILE[:60]))
    person = make_person(password=None, name=HOSTILE[:60])
    contact = make_contact(account.app, nickname=HOSTILE, wxid="<script>")
    call = make_call(account, contact=contact, claimed_by=person, voipid="<script>")
    make_call(account, contact=contact)
    make_attempt(call, person, result=Result.REFUSED, errcode="<script>", message=HOSTILE, answer=HOSTILE)
    page = text_of(supervisor().get(f"/history/{call.pk}/"))
    assert page.count(HARMLESS) >= 4
    assert "<script>" not in page
    assert "<img" not in page


# How much is asked of the database


@pytest.mark.parametrize("number", [10, 1000])
def test_a_call_page_takes_the_same_queries_however_much_there_is(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    account, person = make_account(), make_person(password=None)
    contact = make_contact(account.app)
    calls = make_calls(number, account, contact=contact, claimed_by=person)
    Attempt.objects.bulk_create(Attempt(call=call, person=person, started_at=call.received_at) for call in calls)
    Attempt.objects.bulk_create(
        Attempt(call=calls[0], person=person, started_at=call.received_at, answer="{}") for call in calls
    )
    client = supervisor()
    with django_assert_num_queries(13):  # the picture, the accounts that are called, and the usual one among them
        page = text_of(client.get(f"/history/{calls[0].pk}/"))
    assert page.count("<pre>") == number
    assert page.split("panel others")[1].count("<li>") == min(number - 1, OTHER_CALLS)


def test_a_contact_with_many_calls_has_a_page_with_their_number_and_a_link_to_them() -> None:
    account = make_account()
    contact = make_contact(account.app)
    calls = make_calls(1_300, account, contact=contact)
    shown = others_on(calls[0])
    assert "<small>\n1,299 calls\n" in shown
    assert f'href="/history/?contact={contact.pk}"' in shown


def test_agents_are_told_the_number_of_other_calls_that_they_see() -> None:
    app, ours = make_app(), make_team()
    account, contact = make_account(app, team=ours), make_contact(app)
    call, _ = make_call(account, contact=contact), make_call(account, contact=contact)
    make_call(make_account(app, team=make_team()), contact=contact)
    assert "<small>\n1 call\n" in others_on(call, make_client(make_person(ours, password=None)))


# Notes


def note(client: Client, call: Call, text: str, **headers: str) -> Any:
    return client.post(f"/history/{call.pk}/notes/", {"text": text}, headers=headers)


def test_a_note_is_shown_with_its_author() -> None:
    call, person = make_call(), make_person(password=None, role=Role.SUPERVISOR, name="Ada")
    assert note(make_client(person), call, "told by text").headers["Location"] == f"/history/{call.pk}/"
    assert "Ada noted: told by text" in words(call)


def test_what_happened_is_shown_in_the_order_of_time_notes_among_it() -> None:
    call, person = make_call(received_at=timezone.now() - timedelta(hours=1)), make_person(password=None, name="Ada")
    for minutes in (2, 0.5):
        written_at = call.received_at + timedelta(minutes=minutes)
        Note.objects.create(call=call, person=person, written_at=written_at, text=f"after {minutes}")
    make_attempt(call, person, result=Result.REFUSED, errcode="113", started_at=call.received_at + timedelta(seconds=10))
    shown = words(call)
    parts = ["and stored", "Ada rejects.", "errcode 113 · 380 ms", "after 0.5", "ring window ran out", "after 2"]
    assert [shown.index(part) for part in parts] == sorted(shown.index(part) for part in parts)


def test_notes_of_two_people_both_stay() -> None:
    call, team = make_call(make_account(team=make_team())), Team.objects.get()
    for name in ("Ada", "Bea"):
        note(make_client(make_person(team, password=None, name=name)), call, f"written by {name}")
    shown = words(call)
    assert ("Ada noted: written by Ada" in shown, "Bea noted: written by Bea" in shown) == (True, True)


def test_a_note_may_be_of_several_lines_and_as_long_as_the_page_lets_one_write() -> None:
    call = make_call()
    note(supervisor(), call, "x" * 998 + "\r\n" + "y" * 1001)
    assert len(Note.objects.get().text) == 2000


@pytest.mark.parametrize(
    ("text", "why"), [("", "The note is empty."), (" \r\n ", "The note is empty."), ("x" * 2001, "2000 characters")]
)
def test_a_note_that_is_empty_or_too_long_is_refused_and_what_was_written_stays(text: str, why: str) -> None:
    call = make_call()
    page = note(supervisor(), call, text)
    assert why in " ".join(said(page))
    assert text.strip() in text_of(page)
    assert not Note.objects.exists()


def test_htmx_is_answered_with_the_page_and_an_empty_form() -> None:
    call = make_call()
    page = text_of(note(supervisor(), call, "told by text", **{"HX-Request": "true"}))
    assert page.count("told by text") == 1


def test_nobody_writes_about_another_teams_call() -> None:
    call = make_call(make_account(team=make_team()))
    assert note(make_client(make_person(make_team(), password=None)), call, "hello").status_code == 404
    assert not Note.objects.exists()


def test_notes_are_not_written_by_reading() -> None:
    assert supervisor().get(f"/history/{make_call().pk}/notes/").status_code == 405


def test_no_note_is_taken_for_html() -> None:
    call = make_call()
    note(supervisor(), call, HOSTILE)
    page = text_of(supervisor().get(f"/history/{call.pk}/"))
    assert HARMLESS in page
    assert "<script>" not in page


# The raw notice


def admin() -> Client:
    return make_client(make_person(password=None, role=Role.ADMIN))


def test_admins_are_shown_the_raw_notice_as_people_read_it() -> None:
    call = make_call()
    RawNotice.objects.create(
        call=call,
        received_at=call.received_at,
        body='{"type":"voiceVideoCall","data":[{"voipid":18446744073709551617,"nick":"王"}]}',
    )
    page = html.unescape(text_of(admin().get(f"/history/{call.pk}/")))
    assert '      "voipid": 18446744073709551617,\n      "nick": "王"' in page


def test_admins_are_told_that_no_raw_notice_is_kept() -> None:
    assert "No raw notice of this call is kept." in words_of(admin().get(f"/history/{make_call().pk}/"))


@pytest.mark.parametrize("body", ["", "no JSON", "[" * 100_000, "<script>"])
def test_a_raw_notice_that_is_no_json_is_shown_as_it_is(body: str) -> None:
    call = make_call()
    RawNotice.objects.create(call=call, received_at=call.received_at, body=body)
    answer = admin().get(f"/history/{call.pk}/")
    assert answer.status_code == 200
    assert html.escape(body) in text_of(answer)


def test_the_raw_notice_is_for_admins_alone() -> None:
    call = make_call()
    RawNotice.objects.create(call=call, received_at=call.received_at, body='{"secret": 1}')
    shown = words(call)
    assert ("secret" in shown, "notice" in shown) == (False, False)


# A note in the dialog beside the board


def test_a_note_is_written_in_a_dialog() -> None:
    call, person = make_call(), make_person(password=None, role=Role.SUPERVISOR)
    client = make_client(person)
    form = text_of(client.get(f"/history/{call.pk}/notes/new/", headers={"HX-Request": "true"}))
    assert 'id="dialog-title"' in form
    answer = client.post(f"/history/{call.pk}/notes/new/", {"text": "calls back"}, headers={"HX-Request": "true"})
    assert answer.status_code == 204
    assert [(note.text, note.person) for note in call.notes.all()] == [("calls back", person)]


def test_an_empty_note_is_refused_there_as_well() -> None:
    call = make_call()
    client = make_client(make_person(password=None, role=Role.SUPERVISOR))
    answer = client.post(f"/history/{call.pk}/notes/new/", {"text": " "}, headers={"HX-Request": "true"})
    assert "The note is empty. Write something first." in text_of(answer)
    assert not call.notes.exists()


def test_another_teams_agent_writes_no_note() -> None:
    call = make_call(make_account(team=make_team()))
    client = make_client(make_person(make_team(), password=None))
    for answer in (
        client.get(f"/history/{call.pk}/notes/new/", headers={"HX-Request": "true"}),
        client.post(f"/history/{call.pk}/notes/new/", {"text": "x"}, headers={"HX-Request": "true"}),
    ):
        assert answer.status_code == 404
    assert not call.notes.exists()
