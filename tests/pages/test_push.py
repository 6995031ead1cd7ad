"""Which browsers calls are pushed to."""

from __future__ import annotations

import pytest
from django.test import Client

from calls.models import PushSubscription
from calls.models.push_subscription import MOST_OF_ONE_PERSON
from calls.push import services
from tests.factory import make_client, make_person
from tests.push_service import Browser, PushService

pytestmark = pytest.mark.django_db

ON, OFF = "/preferences/push/on/", "/preferences/push/off/"


def browser() -> Browser:
    return Browser(PushService(port=9))


def fields(of: Browser, **others: str) -> dict[str, str]:
    return of.keys | {"key": services.public_key()} | others


@pytest.mark.parametrize(("language", "words"), [("en", "Preferences"), ("zh-hans", "设置")])
def test_the_page_is_one_click_from_every_other(language: str, words: str) -> None:
    client = make_client(make_person(), language)
    assert f'<a href="/preferences/">{words}</a>' in client.get("/").content.decode()
    page = client.get("/preferences/").content.decode()
    assert f"<h1>{words}</h1>" in page
    assert services.public_key() in page


def test_a_browser_is_kept_with_who_sits_at_it_and_their_language() -> None:
    person, mine = make_person(), browser()
    client = make_client(person, "zh-hans")
    assert client.post(ON, fields(mine)).status_code == 204
    kept = PushSubscription.objects.get()
    assert (kept.person, kept.language, kept.session_id) == (person, "zh-hans", client.session.session_key)
    assert (kept.endpoint, kept.p256dh, kept.auth) == tuple(mine.keys.values())


def test_a_browser_that_tells_it_again_is_kept_once_and_with_its_present_language() -> None:
    person, mine = make_person(), browser()
    make_client(person, "zh-hans").post(ON, fields(mine))
    make_client(person, "en").post(ON, fields(mine))
    assert [one.language for one in PushSubscription.objects.all()] == ["en"]


def test_a_browser_belongs_to_whoever_signed_in_last() -> None:
    mine, last = browser(), make_person()
    make_client(make_person()).post(ON, fields(mine))
    make_client(last).post(ON, fields(mine))
    assert [one.person for one in PushSubscription.objects.all()] == [last]


def test_signing_out_ends_it_at_once() -> None:
    client = make_client(make_person())
    client.post(ON, fields(browser()))
    client.post("/logout/")
    assert not PushSubscription.objects.exists()


def test_of_one_person_only_the_newest_browsers_are_kept() -> None:
    client = make_client(make_person())
    make_client(make_person()).post(ON, fields(browser()))
    for _ in range(MOST_OF_ONE_PERSON):
        client.post(ON, fields(browser()))
    oldest = PushSubscription.objects.order_by("pk")[1]
    newest = browser()
    client.post(ON, fields(newest))
    assert PushSubscription.objects.count() == MOST_OF_ONE_PERSON + 1
    assert not PushSubscription.objects.filter(pk=oldest.pk).exists()
    assert PushSubscription.objects.filter(endpoint=newest.keys["endpoint"]).exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"endpoint": "https://10.0.0.1/a"},
        {"endpoint": "https://example.com/a"},
        {"endpoint": "https://fcm.googleapis.com/" + "a" * 1000},
        {"endpoint": ""},
        {"p256dh": ""},
        {"p256dh": "AAAA"},
        {"p256dh": "B" + "A" * 86},
        {"p256dh": "你"},
        {"auth": ""},
        {"auth": "AAAA"},
        {"auth": "*" * 22},
        {"key": ""},
        {"key": "B" + "A" * 86},
    ],
)
def test_what_no_browser_would_send_is_refused(wrong: dict[str, str]) -> None:
    answer = make_client(make_person()).post(ON, fields(browser(), **wrong))
    assert answer.status_code == 400
    assert answer.content
    assert not PushSubscription.objects.exists()


def test_an_unknown_service_is_refused_in_words() -> None:
    answer = make_client(make_person(), "zh-hans").post(ON, fields(browser(), endpoint="https://example.com/a"))
    assert "PUSH_SERVICES" in answer.content.decode()
    assert "推送服务" in answer.content.decode()


def test_turning_it_off_removes_this_browser_and_no_other() -> None:
    client, mine, other = make_client(make_person()), browser(), browser()
    client.post(ON, fields(mine))
    client.post(ON, fields(other))
    assert client.post(OFF, {"endpoint": mine.keys["endpoint"]}).status_code == 204
    assert [one.endpoint for one in PushSubscription.objects.all()] == [other.keys["endpoint"]]
    assert client.post(OFF).status_code == 204


@pytest.mark.parametrize("address", [ON, OFF])
def test_it_takes_a_sign_in_a_post_and_a_token(address: str) -> None:
    assert Client().post(address).headers["Location"].startswith("/login/")
    assert make_client(make_person()).get(address).status_code == 405
    assert make_client(make_person(), enforce_csrf_checks=True).post(address).status_code == 403


def test_the_page_takes_a_sign_in() -> None:
    assert Client().get("/preferences/").headers["Location"] == "/login/?next=/preferences/"
