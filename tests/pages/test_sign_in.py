from __future__ import annotations

import pytest
from django.test import Client

from calls.models import Person

from ..factory import PASSWORD, make_client, make_person
from .reading import said, text_of, words_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}
NEW = "quite another pass phrase"
ELSEWHERE = ["https://evil.example/", "//evil.example/", "\\\\evil.example", "javascript:alert(1)", "http:///evil.example"]


def signs_in(client: Client, person: Person, password: str = PASSWORD, **more: str) -> str:
    """Where a sign-in leads; empty where it leads nowhere."""
    answer = client.post("/login/", {"username": person.username, "password": password} | more)
    return answer.headers.get("Location", "")


def change(client: Client, old: str = PASSWORD, new: str = NEW) -> str:
    """Where a change of the password leads; empty where it leads nowhere."""
    fields = {"old_password": old, "new_password1": new, "new_password2": new}
    return client.post("/password/", fields).headers.get("Location", "")


def with_a_one_time_password(**fields: object) -> Person:
    return make_person(must_change_password=True, **fields)


# Sign-in


def test_the_right_password_leads_to_the_board() -> None:
    client = make_client()
    assert signs_in(client, make_person()) == "/"
    assert client.get("/").status_code == 200


def test_a_wrong_password_says_so() -> None:
    answer = make_client().post("/login/", {"username": make_person().username, "password": "wrong"})
    assert answer.status_code == 200
    assert len(said(answer)) == 1
    assert "enter a correct username and password" in said(answer)[0]


def test_a_name_that_nobody_has_is_told_the_same_as_a_wrong_password() -> None:
    client, known = make_client(), make_person(username="ada")
    answers = [client.post("/login/", {"username": name, "password": "wrong"}) for name in (known.username, "nobody")]
    assert said(answers[0]) == said(answers[1])


def test_a_wrong_password_signs_nobody_in() -> None:
    client = make_client()
    signs_in(client, make_person(), "wrong")
    assert client.get("/").status_code == 302


def test_a_wrong_password_is_not_sent_back() -> None:
    answer = make_client().post("/login/", {"username": make_person().username, "password": "nearly-right"})
    assert "nearly-right" not in text_of(answer)


def test_a_page_that_needs_a_sign_in_is_where_it_leads() -> None:
    asked = make_client().get("/history/?kind=1")
    assert asked.headers["Location"] == "/login/?next=/history/%3Fkind%3D1"


def test_htmx_sends_the_whole_page_to_the_sign_in() -> None:
    answer = make_client().get("/history/", headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/login/")


def test_a_sign_in_leads_on_to_the_page_that_asked_for_it() -> None:
    assert signs_in(make_client(), make_person(), next="/history/?kind=1") == "/history/?kind=1"


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_a_sign_in_never_leads_to_another_host(elsewhere: str) -> None:
    assert signs_in(make_client(), make_person(), next=elsewhere) == "/"


@pytest.mark.parametrize("elsewhere", ELSEWHERE)
def test_who_is_signed_in_already_is_never_led_to_another_host(elsewhere: str) -> None:
    answer = make_client(make_person(password=None)).get("/login/", {"next": elsewhere})
    assert answer.headers["Location"] == "/"


def test_whose_session_was_ended_is_told_so_and_others_are_not() -> None:
    told = "You were signed out"
    assert told in words_of(make_client().get("/login/", {"next": "/", "ended": "1"}))
    assert told not in words_of(make_client().get("/login/", {"next": "/"}))


# Sign-out


def test_a_sign_out_leads_to_the_sign_in() -> None:
    assert make_client(make_person(password=None)).post("/logout/").headers["Location"] == "/login/"


def test_after_a_sign_out_pages_ask_for_a_sign_in() -> None:
    client = make_client(make_person(password=None))
    client.post("/logout/")
    assert client.get("/").headers["Location"] == "/login/?next=/"


def test_a_sign_out_is_a_post() -> None:
    client = make_client(make_person(password=None))
    assert client.get("/logout/").status_code == 405
    assert client.get("/").status_code == 200


# Deactivated


def test_a_deactivated_person_is_out_at_the_next_request() -> None:
    person = make_person(password=None)
    client = make_client(person)
    assert client.get("/").status_code == 200
    Person.objects.filter(pk=person.pk).update(is_active=False)
    assert client.get("/").headers["Location"] == "/login/?next=/"


def test_a_deactivated_person_can_not_sign_in() -> None:
    assert signs_in(make_client(), make_person(is_active=False)) == ""


# One-time passwords


@pytest.mark.parametrize(
    "path", ["/", "/history/", "/calls/1/reject/", "/admin/", "/admin/calls/team/", "/admin/password_change/"]
)
def test_a_one_time_password_opens_no_page_but_that_for_changing_it(path: str) -> None:
    client = make_client(with_a_one_time_password(password=None, role=Person.Role.ADMIN))
    answer = client.get(path)
    assert (answer.status_code, answer.headers.get("Location")) == (302, "/password/")


def test_with_a_one_time_password_htmx_sends_the_whole_page_to_change_it() -> None:
    answer = make_client(with_a_one_time_password(password=None)).get("/history/", headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (200, "/password/")


def test_the_page_for_changing_it_says_why() -> None:
    page = make_client(with_a_one_time_password(password=None)).get("/password/")
    assert "You signed in with a one-time password." in words_of(page)


def test_with_a_one_time_password_one_can_sign_out() -> None:
    client = make_client(with_a_one_time_password(password=None))
    assert client.post("/logout/").headers["Location"] == "/login/"


def test_with_a_one_time_password_one_can_switch_the_language() -> None:
    client = make_client(with_a_one_time_password(password=None), language="")
    client.post("/language/", {"language": "en", "next": "/password/"})
    assert "Change password" in words_of(client.get("/password/"))


def test_a_changed_one_time_password_opens_every_page() -> None:
    client = make_client(with_a_one_time_password())
    assert change(client) == "/"
    page = client.get("/")
    assert page.status_code == 200
    assert said(page) == ["Your password was changed."]


def test_a_changed_password_is_the_one_to_sign_in_with() -> None:
    person = make_person()
    change(make_client(person))
    assert (signs_in(make_client(), person), signs_in(make_client(), person, NEW)) == ("", "/")


@pytest.mark.parametrize(("old", "new"), [("wrong", NEW), (PASSWORD, "short"), (PASSWORD, "password")])
def test_a_one_time_password_that_was_not_changed_still_must_be(old: str, new: str) -> None:
    client = make_client(with_a_one_time_password())
    assert change(client, old, new) == ""
    assert client.get("/").headers["Location"] == "/password/"
