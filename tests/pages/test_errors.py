from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.db import connection

from ..factory import make_client, make_person
from .reading import text_of, words_of

pytestmark = pytest.mark.django_db

HTMX = {"HX-Request": "true"}


def test_a_signed_in_person_is_told_what_was_not_found_and_led_to_the_calls() -> None:
    page = make_client(make_person(password=None)).get("/nowhere/")
    assert page.status_code == 404
    assert "This page does not exist" in words_of(page)
    assert "To the calls" in words_of(page)


def test_a_page_not_found_keeps_the_menu_of_a_signed_in_person() -> None:
    assert "Sign out" in words_of(make_client(make_person(password=None)).get("/nowhere/"))


def test_somebody_not_signed_in_is_told_what_was_not_found_and_led_to_the_sign_in() -> None:
    page = make_client().get("/nowhere/")
    assert page.status_code == 404
    assert "This page does not exist" in words_of(page)
    assert '<a class="button" href="/login/">' in text_of(page)


def test_an_address_that_is_not_found_is_not_taken_for_html() -> None:
    assert "<script>alert" not in text_of(make_client().get("/<script>alert(1)</script>/"))


def test_an_out_of_date_page_leads_a_signed_in_person_to_the_calls() -> None:
    page = make_client(make_person(password=None), enforce_csrf_checks=True).post("/logout/")
    assert page.status_code == 403
    assert "This page is out of date" in words_of(page)
    assert "To the calls" in words_of(page)


def test_an_out_of_date_page_leads_somebody_not_signed_in_to_the_sign_in() -> None:
    page = make_client(enforce_csrf_checks=True).post("/login/", {"username": "ada", "password": "x"})
    assert page.status_code == 403
    assert "This page is out of date" in words_of(page)
    assert '<a class="button" href="/login/">' in text_of(page)


@pytest.mark.parametrize("signed_in", [False, True])
def test_htmx_loads_an_out_of_date_page_anew(signed_in: bool) -> None:
    client = make_client(make_person(password=None) if signed_in else None, enforce_csrf_checks=True)
    answer = client.post("/language/", headers=HTMX)
    assert (answer.status_code, answer.headers["HX-Refresh"]) == (403, "true")


def test_a_refused_request_changes_nothing() -> None:
    client = make_client(make_person(password=None), enforce_csrf_checks=True)
    client.post("/logout/")
    assert client.get("/").status_code == 200


# The database is away


@pytest.fixture
def database_away(transactional_db: None) -> Iterator[None]:
    """From here on nobody can connect to it."""
    there = connection.settings_dict["NAME"]
    connection.close()
    connection.settings_dict["NAME"] = "/nowhere/at/all"
    yield
    connection.close()
    connection.settings_dict["NAME"] = there


@pytest.mark.parametrize("path", ["/", "/history/"])
def test_a_page_that_can_not_be_made_says_so_in_words(path: str, request: pytest.FixtureRequest) -> None:
    client = make_client(make_person(password=None), raise_request_exception=False)
    request.getfixturevalue("database_away")
    page = client.get(path)
    assert page.status_code == 500
    assert "The server could not make this page" in words_of(page)


def test_a_page_that_can_not_be_made_shows_nothing_of_the_inside(request: pytest.FixtureRequest) -> None:
    client = make_client(make_person(password=None), raise_request_exception=False)
    request.getfixturevalue("database_away")
    page = text_of(client.get("/"))
    assert [part for part in ("Traceback", "OperationalError", "/nowhere") if part in page] == []
