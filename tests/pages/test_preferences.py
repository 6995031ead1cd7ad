"""What somebody prefers in a browser: the looks, which the server knows; and the icon that counts."""

from __future__ import annotations

import pytest

from ..factory import make_client, make_person
from .reading import text_of

pytestmark = pytest.mark.django_db


def test_the_colours_that_were_chosen_are_those_of_every_page() -> None:
    client = make_client(make_person(password=None))
    assert client.post("/preferences/", {"theme": "dark"}).status_code == 302
    for path in ("/", "/history/", "/preferences/"):
        assert 'data-theme="dark"' in text_of(client.get(path))


def test_they_are_also_those_of_the_sign_in() -> None:
    client = make_client()
    client.cookies["theme"] = "light"
    assert 'data-theme="light"' in text_of(client.get("/login/"))


def test_the_systems_colours_can_be_had_again() -> None:
    client = make_client(make_person(password=None))
    client.cookies["theme"] = "dark"
    client.post("/preferences/", {"theme": ""})
    assert "data-theme" not in text_of(client.get("/"))


@pytest.mark.parametrize("theme", ["pink", '"><script>', "dark "])
def test_a_cookie_that_makes_no_sense_counts_as_none(theme: str) -> None:
    client = make_client(make_person(password=None))
    client.cookies["theme"] = theme
    assert "data-theme" not in text_of(client.get("/"))


def test_colours_that_do_not_exist_are_refused() -> None:
    client = make_client(make_person(password=None))
    answer = client.post("/preferences/", {"theme": "pink"})
    assert answer.status_code == 200
    assert "Select a valid choice" in text_of(answer)
    assert "theme" not in client.cookies


def test_preferences_ask_for_a_sign_in() -> None:
    assert make_client().get("/preferences/").status_code == 302


@pytest.mark.parametrize(("calls", "shown"), [(1, ">1<"), (9, ">9<"), (10, ">9+<"), (10**30, ">9+<")])
def test_the_icon_counts(calls: int, shown: str) -> None:
    answer = make_client().get(f"/icon/{calls}.svg")
    assert answer["Content-Type"] == "image/svg+xml"
    assert shown in text_of(answer)


def test_the_icon_of_no_call_is_plain() -> None:
    assert "<text" not in text_of(make_client().get("/icon/0.svg"))


def test_an_icon_is_only_looked_at() -> None:
    assert make_client().post("/icon/0.svg").status_code == 405
