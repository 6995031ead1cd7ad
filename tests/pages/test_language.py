from __future__ import annotations

import pytest

from ..factory import make_client, make_person
from .reading import text_of, words_of

pytestmark = pytest.mark.django_db


def test_a_reader_who_chose_no_language_reads_chinese() -> None:
    assert "登录" in words_of(make_client(language="").get("/login/"))


def test_the_browsers_own_preference_does_not_count() -> None:
    page = make_client(language="").get("/login/", headers={"Accept-Language": "en"})
    assert "登录" in words_of(page)


@pytest.mark.parametrize(("language", "told", "marked"), [("", "zh-hans", "zh-Hans"), ("en", "en", "en")])
def test_a_page_tells_its_language(language: str, told: str, marked: str) -> None:
    page = make_client(language=language).get("/login/")
    assert page.headers["Content-Language"] == told
    assert f'<html lang="{marked}">' in text_of(page)


def test_a_reader_switches_to_english_and_back() -> None:
    client = make_client(language="")
    seen = []
    for language in ("en", "zh-hans"):
        client.post("/language/", {"language": language})
        seen.append("Sign in" in words_of(client.get("/login/")))
    assert seen == [True, False]


def test_a_signed_in_reader_switches_as_well() -> None:
    client = make_client(make_person(password=None), language="")
    client.post("/language/", {"language": "en"})
    assert "Sign out" in words_of(client.get("/"))


def test_a_switch_leads_back_to_the_page_it_came_from() -> None:
    answer = make_client().post("/language/", {"language": "en", "next": "/history/?kind=1"})
    assert answer.headers["Location"] == "/history/?kind=1"


@pytest.mark.parametrize(
    "elsewhere",
    ["https://evil.example/", "//evil.example/", "\\\\evil.example", "javascript:alert(1)", "http:///evil.example"],
)
def test_a_switch_never_leads_to_another_host(elsewhere: str) -> None:
    answer = make_client().post("/language/", {"language": "en", "next": elsewhere})
    assert answer.headers["Location"] == "/"


@pytest.mark.parametrize("cookie", ["fr", "zh", "en-gb", "../en", "<script>", "e" * 4000])
def test_a_language_that_is_not_offered_falls_back_to_chinese(cookie: str) -> None:
    assert "登录" in words_of(make_client(language=cookie).get("/login/"))
