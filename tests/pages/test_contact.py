"""What is known of a contact: its panel on a call's page, and its picture."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from calls.models import Account, Avatar, Call, Contact, Person, Team

from ..factory import make_account, make_app, make_call, make_calls, make_client, make_contact, make_person, make_team
from .reading import HARMLESS, HOSTILE, rows, said, text_of, words_of

pytestmark = pytest.mark.django_db


def agent(team: Team | None = None, **fields: Any) -> Client:
    return make_client(make_person(team or make_team(), password=None, **fields))


def supervisor(language: str = "en") -> Client:
    return make_client(make_person(password=None, role=Person.Role.SUPERVISOR), language)


def call_of(**fields: Any) -> Call:
    """A call of somebody of whom this is known."""
    account = make_account(team=make_team())
    return make_call(account, contact=make_contact(account.app, **fields))


def panel(call: Call, client: Client | None = None) -> str:
    page = text_of((client or supervisor()).get(f"/history/{call.pk}/"))
    return page.split('<section id="contact"')[1].split("</section>")[0]


def words(call: Call, client: Client | None = None) -> str:
    return words_of(HttpResponse(panel(call, client)))


def change(call: Call, client: Client | None = None, seen: str | None = None, **values: str) -> Any:
    """As the form sends it, filled in like this."""
    contact = Contact.objects.get(pk=call.contact_id)
    was = contact.changed_at.isoformat() if contact.changed_at else ""
    form = {"remark": contact.remark, "tags": ", ".join(contact.tags), "mark": contact.mark} | values
    return (client or supervisor()).post(f"/history/{call.pk}/contact/", form | {"seen": was if seen is None else seen})


def with_picture(contact: Contact, version: str = "v1") -> Avatar:
    fields = {"address": "https://a.example/", "tried_at": timezone.now(), "picture": b"RIFF"}
    return Avatar.objects.create(contact=contact, version=version, **fields)


# The panel


def test_names_tags_and_mark_are_shown() -> None:
    call = call_of(remark="老王", nickname="王秀英", wxid="7881302848173300", tags=["VIP", "华东"], mark="important")
    shown = words(call)
    for part in ("老王", "calls themselves 王秀英", "7881302848173300", "Important VIP 华东"):
        assert part in shown


@pytest.mark.parametrize(("language", "mark"), [("en", "Blocked"), ("zh-hans", "黑名单")])
def test_a_mark_is_a_word(language: str, mark: str) -> None:
    assert mark in words(call_of(mark="blocked"), supervisor(language))


def test_without_a_remark_the_nickname_is_the_name_and_without_both_the_wxid_is() -> None:
    assert "王秀英" in words(call_of(nickname="王秀英"))
    assert "User 7881302848173300" in words(call_of(wxid="7881302848173300"))


def test_the_account_that_is_called_most_often_is_told() -> None:
    call = call_of()
    Account.objects.update(name="小林")
    make_calls(3, call.account, contact=call.contact)
    make_call(make_account(call.account.app), contact=call.contact)
    assert "Usually calls 小林 (4 of 5)" in words(call)


def test_nothing_is_usual_after_few_calls_or_where_no_account_has_most() -> None:
    call = call_of()
    make_call(call.account, contact=call.contact)
    assert "Usually" not in words(call)
    make_calls(2, make_account(call.account.app), contact=call.contact)
    assert "Usually" not in words(call)


def test_what_is_usual_says_nothing_of_accounts_of_other_teams() -> None:
    call = call_of()
    make_calls(9, make_account(call.account.app, name="not ours", team=make_team()), contact=call.contact)
    assert "not ours" not in words(call, agent(call.account.team))
    assert "Usually calls not ours (9 of 10)" in words(call)


def test_no_text_is_taken_for_html() -> None:
    call = call_of(remark=HOSTILE[:60], nickname=HOSTILE, wxid="<script>", tags=[HOSTILE[:20], "<b>"])
    make_calls(3, call.account, contact=call.contact)
    Account.objects.update(name=HOSTILE[:60])
    Contact.objects.update(changed_by=make_person(password=None, name=HOSTILE[:60]), changed_at=timezone.now())
    client = supervisor()
    for address in (f"/history/{call.pk}/", "/", "/history/"):
        page = text_of(client.get(address))
        assert "<script>" not in page
        assert "<img" not in page
        assert "<b>" not in page.replace("<b><bdi>", "").replace("<b>Voice</b>", "") or address == "/"
    assert HARMLESS in panel(call)


# Changed by whoever sees a call


def test_an_agent_of_the_team_changes_it_and_is_told_of_as_the_one_who_did() -> None:
    call = call_of()
    answer = change(call, agent(call.account.team, name="Ada"), remark="老王", tags="VIP", mark="blocked")
    contact = Contact.objects.get()
    assert (answer.status_code, answer["Location"]) == (302, f"/history/{call.pk}/")
    assert (contact.remark, contact.tags, contact.mark) == ("老王", ["VIP"], "blocked")
    assert "Changed by Ada" in words(call)


def test_another_teams_agent_finds_no_such_call() -> None:
    call = call_of(remark="ours")
    assert change(call, agent(), remark="theirs").status_code == 404
    assert Contact.objects.get().remark == "ours"


def test_nothing_is_changed_without_a_sign_in_or_by_reading() -> None:
    call = call_of()
    assert change(call, make_client(), remark="theirs")["Location"].startswith("/login/")
    assert supervisor().get(f"/history/{call.pk}/contact/").status_code == 405
    assert Contact.objects.get().remark == ""


def test_nothing_is_changed_without_the_token_of_a_page() -> None:
    call = call_of()
    client = make_client(make_person(password=None, role=Person.Role.SUPERVISOR), enforce_csrf_checks=True)
    assert change(call, client, remark="theirs").status_code == 403
    assert Contact.objects.get().remark == ""


def test_the_next_page_calls_them_by_the_remark() -> None:
    call = call_of(nickname="王秀英")
    change(call, remark="老王")
    client = supervisor()
    assert "老王" in text_of(client.get("/history/"))
    assert "老王" in text_of(client.get("/"))
    assert rows(client.get("/history/?q=老王")) == [call.pk]
    assert rows(client.get("/history/?q=王秀英")) == [call.pk]


@pytest.mark.parametrize(
    ("written", "tags"),
    [
        ("", []),
        ("VIP", ["VIP"]),
        ("VIP，华东、 big  customer ;;, x；y", ["VIP", "华东", "big customer", "x", "y"]),
        ("VIP, vip, Vip, straße, STRASSE", ["VIP", "straße"]),
        (",,，", []),
        ("<b>, {{ 7|add:7 }}", ["<b>", "{{ 7|add:7 }}"]),
    ],
)
def test_tags_are_separated_by_any_comma_and_each_stands_once(written: str, tags: list[str]) -> None:
    change(call_of(tags=["before"]), tags=written)
    assert Contact.objects.get().tags == tags


@pytest.mark.parametrize(
    ("values", "why"),
    [
        ({"remark": "x" * 61}, "60 characters"),
        ({"tags": ", ".join("abcdefghi")}, "At most 8 tags."),
        ({"tags": "x" * 21}, "too long for a tag, which has at most 20 characters"),
        ({"tags": "x," * 300}, "500 characters"),
        ({"mark": "friend"}, "friend"),
        ({"remark": "a\0b"}, "Null characters"),
        ({"tags": "a\0b"}, "Null characters"),
    ],
)
def test_what_makes_no_sense_is_refused_and_what_was_written_stays(values: dict[str, str], why: str) -> None:
    call = call_of(remark="before", tags=["before"])
    page = change(call, **values)
    assert why in " ".join(said(page))
    contact = Contact.objects.get()
    assert (contact.remark, contact.tags, contact.mark, contact.changed_by) == ("before", ["before"], "", None)
    assert "<details open>" in text_of(page)


def test_blanks_and_lines_in_a_remark_become_one_blank() -> None:
    change(call_of(), remark="  Wang \r\n\t Xiuying ")
    assert Contact.objects.get().remark == "Wang Xiuying"


@pytest.mark.parametrize("seen", [None, "", "2026-01-01T00:00:00+00:00", "no moment", "2026-13-77", "9" * 400])
def test_of_two_who_change_it_at_once_the_second_is_told(seen: str | None) -> None:
    call = call_of()
    before = "" if seen is None else seen
    change(call, agent(call.account.team, name="Ada"), remark="from Ada")
    page = change(call, agent(call.account.team, name="Bea"), before, remark="from Bea")
    assert "Somebody has changed this meanwhile." in " ".join(said(page))
    assert "Changed by Ada" in words_of(page)
    assert 'value="from Bea"' in text_of(page)
    assert Contact.objects.get().remark == "from Ada"


def test_who_was_told_and_saves_again_puts_theirs_in_its_place() -> None:
    call = call_of()
    change(call, remark="from Ada")
    page = text_of(change(call, None, "", remark="from Bea"))
    seen = page.split('name="seen" value="')[1].split('"')[0]
    change(call, None, seen, remark="from Bea")
    assert Contact.objects.get().remark == "from Bea"


def test_a_form_that_says_what_stands_there_already_changes_nothing() -> None:
    call = call_of(remark="老王", tags=["a", "b"], mark="important")
    assert change(call).status_code == 302
    assert Contact.objects.get().changed_by is None


def test_htmx_is_answered_with_the_page() -> None:
    call = call_of()
    answer = supervisor().post(
        f"/history/{call.pk}/contact/", {"remark": "老王", "seen": ""}, headers={"HX-Request": "true"}
    )
    assert (answer.status_code, "老王" in panel(call), "老王" in text_of(answer)) == (200, True, True)


# On cards


def card(call: Call, language: str = "en") -> str:
    return text_of(supervisor(language).get("/")).split(f'id="call-{call.pk}"')[1].split("</article>")[0]


def test_a_card_shows_mark_and_tags() -> None:
    shown = words_of(HttpResponse(card(call_of(nickname="王", mark="important", tags=["VIP"]))))
    assert "王 Important VIP Voice" in shown


@pytest.mark.parametrize(("language", "chip"), [("en", "3 in 10 min"), ("zh-hans", "10 分钟内 3 次")])
def test_a_card_tells_who_calls_again_and_again(language: str, chip: str) -> None:
    call = call_of()
    second = make_call(call.account, contact=call.contact)
    third = make_call(call.account, contact=call.contact)
    assert chip in card(third, language)
    assert "10 min" not in card(second, language)


def test_calls_further_apart_are_not_told_as_one_after_the_other() -> None:
    now, account = timezone.now(), make_account()
    contact = make_contact(account.app)
    calls = [make_call(account, now - timedelta(minutes=minutes), contact=contact) for minutes in (11, 9, 0)]
    assert "in 10 min" not in card(calls[2])


def test_a_card_shows_the_picture_from_our_own_address_and_else_the_first_letter() -> None:
    call = call_of(nickname="王", avatar="https://a.example/a.png")
    assert "<img" not in card(call)
    with_picture(call.contact, "")
    assert "<img" not in card(call)
    Avatar.objects.update(version="v1")
    assert f'<img src="/contacts/{call.contact_id}/avatar/v1" alt=""' in card(call)
    assert "a.example" not in card(call)


# The picture


def test_whoever_sees_a_call_of_theirs_gets_the_picture_and_may_keep_it() -> None:
    call = call_of()
    with_picture(call.contact)
    answer = agent(call.account.team).get(f"/contacts/{call.contact_id}/avatar/v1")
    assert (answer.status_code, answer.content) == (200, b"RIFF")
    assert answer["Content-Type"] == "image/webp"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Cache-Control"] == "private, max-age=2592000, immutable"


def test_nobody_else_gets_it() -> None:
    call = call_of()
    with_picture(call.contact)
    make_call(make_account(team=make_team()))  # of somebody else
    address = f"/contacts/{call.contact_id}/avatar/v1"
    assert agent().get(address).status_code == 404
    assert make_client(make_person(password=None)).get(address).status_code == 404
    assert make_client().get(address)["Location"].startswith("/login/")
    assert supervisor().post(address).status_code == 405


@pytest.mark.parametrize("version", ["v2", "0", "V1"])
def test_another_version_is_not_found(version: str) -> None:
    call = call_of()
    with_picture(call.contact)
    assert supervisor().get(f"/contacts/{call.contact_id}/avatar/{version}").status_code == 404


@pytest.mark.parametrize("pk", [0, 7, 2**63, 10**30])
def test_nobody_is_not_found(pk: int) -> None:
    with_picture(make_contact(make_app(), pk=7))  # who never called
    assert supervisor().get(f"/contacts/{pk}/avatar/v1").status_code == 404
