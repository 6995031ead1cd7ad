from __future__ import annotations

import html
import json
import re
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from calls import vault
from calls.models import NoticeSample, Person, UnreadBody, VendorApp
from calls.senders import Sender
from calls.vendor import envelope
from calls.vendor.sandbox import call_notice, chat_notice
from dashboard.pages.mapping import LONGEST_JSON, PLACES_SHOWN

from ..factory import AES_KEY, make_app, make_client, make_person
from .reading import HARMLESS, HOSTILE, said, text_of, words_of

pytestmark = pytest.mark.django_db

Role = Person.Role
FIELDS = {
    "account_path": "wxid rel_wxid",
    "contact_path": "chat_wxid",
    "voipid_path": "voipid",
    "kind_path": "type",
    "nickname_path": "",
    "avatar_path": "",
    "time_path": "",
    "end_path": "",
    "end_values": "",
}
MOVED = {
    "type": "voiceVideoCall",
    "rel_wxid": "168",
    "data": [{"call": {"id": 5, "media": "2"}, "members": [{"wxid": "788"}]}],
}


def admin() -> Client:
    return make_client(make_person(password=None, role=Role.ADMIN))


def kept(app: VendorApp, *notices: Any) -> UnreadBody:
    return UnreadBody.objects.keep(app.pk, timezone.now(), json.dumps(notices).encode(), "no call id", opened=True)


def sampled(app: VendorApp, notice: Any) -> NoticeSample:
    body = vault.seal(json.dumps(notice).encode())
    form = str(NoticeSample.objects.count())
    return NoticeSample.objects.create(app=app, received_at=timezone.now(), form=form, body=body)


def helper(app: VendorApp, client: Client | None = None, **query: Any) -> Any:
    return (client or admin()).get(f"/mapping/{app.pk}/", query)


def typed(app: VendorApp, notice: str = "", target: str = "verdict", **fields: str) -> Any:
    """What htmx is answered while somebody types."""
    headers = {"HX-Request": "true", "HX-Target": target}
    return admin().post(f"/mapping/{app.pk}/values/", FIELDS | {"notice": notice} | fields, headers=headers)


def standing(response: HttpResponse) -> dict[str, str]:
    """What stands where in the notice that is shown."""
    found = re.findall(r'data-path="([^"]*)".*?</td><td><bdi>(.*?)</bdi>', text_of(response), re.DOTALL)
    return {html.unescape(path): html.unescape(value) for path, value in found}


def found(response: HttpResponse) -> dict[str, str]:
    """What each field finds."""
    outputs = re.findall(r'<output id="value-(\w+)_path"[^>]*>(.*?)</output>', text_of(response), re.DOTALL)
    return {name: html.unescape(re.sub(r"<[^>]*>", "", value)) for name, value in outputs}


def verdict(response: HttpResponse) -> str:
    shown = re.search(r'<div id="verdict".*?</div>', text_of(response), re.DOTALL)
    assert shown
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", shown[0])).split())


# The notice


def test_a_notice_that_could_not_be_read_is_shown_with_its_paths() -> None:
    app = make_app()
    kept(app, MOVED)
    page = helper(app)
    assert standing(page) == {
        "call.id": "5",
        "call.media": "2",
        "members.0.wxid": "788",
        "type": "voiceVideoCall",
        "rel_wxid": "168",
    }
    assert '"media": "2"' in html.unescape(text_of(page))


def test_what_could_not_be_read_comes_before_samples() -> None:
    app = make_app()
    body = kept(app, MOVED)
    sample = sampled(app, call_notice("168", "788", 5))
    options = re.findall(r'<option value="([^"]*)"( selected)?>', text_of(helper(app)))
    assert options == [(f"kept-{body.pk}", " selected"), (f"sample-{sample.pk}", "")]


def test_a_sample_can_be_chosen() -> None:
    app = make_app()
    kept(app, MOVED)
    sample = sampled(app, call_notice("168", "788", 2**60 + 1))
    assert standing(helper(app, notice=f"sample-{sample.pk}"))["voipid"] == str(2**60 + 1)


def test_a_body_that_could_not_be_opened_is_not_offered() -> None:
    app = make_app()
    UnreadBody.objects.keep(app.pk, timezone.now(), b"?", "the body can't be decrypted with this encoding_aes_key")
    assert "No notice of a call is kept of this vendor app." in words_of(helper(app))


def test_another_apps_notice_is_not_shown() -> None:
    app = make_app()
    for key in (f"kept-{kept(make_app(), MOVED).pk}", f"sample-{sampled(make_app(), MOVED).pk}"):
        page = helper(app, notice=key)
        assert standing(page) == {}
        assert said(page) == ["There is no notice of a call in it."]


@pytest.mark.parametrize("key", ["kept-", "kept-0", "kept-x", "kept-²", "sample-" + "9" * 40, "other-1", "\0", "-"])
def test_a_notice_that_is_none_is_said(key: str) -> None:
    page = helper(make_app(), notice=key)
    assert (page.status_code, said(page)) == (200, ["There is no notice of a call in it."])


def test_another_secret_key_is_said_clearly(settings: Settings) -> None:
    app = make_app()
    kept(app, MOVED)
    person = make_person(password=None, role=Role.ADMIN)
    settings.SECRET_KEY = "another"
    assert "It was kept under another SECRET_KEY" in said(helper(app, make_client(person)))[0]


# One that is pasted


def test_json_that_is_pasted_is_shown_and_not_stored() -> None:
    app = make_app()
    page = typed(app, target="shown", pasted=json.dumps(MOVED))
    assert standing(page)["call.id"] == "5"
    assert (UnreadBody.objects.count(), NoticeSample.objects.count()) == (0, 0)


def test_a_body_as_it_came_can_be_pasted() -> None:
    app = make_app()
    body = envelope.seal([chat_notice("168"), MOVED], envelope.key_bytes(AES_KEY)).decode()
    assert standing(typed(app, target="shown", pasted=f"\n {body}\n"))["call.id"] == "5"


def test_chat_messages_in_what_is_pasted_are_not_shown() -> None:
    page = typed(make_app(), target="shown", pasted=json.dumps([chat_notice("168", "a secret"), MOVED]))
    assert "a secret" not in text_of(page)
    assert said(typed(make_app(), target="shown", pasted=json.dumps([chat_notice("168")]))) == [
        "There is no notice of a call in it."
    ]


@pytest.mark.parametrize("pasted", ["?", "{", "[" * 100_000, "null", "\ud800", "\0"])
def test_what_makes_no_sense_is_said(pasted: str) -> None:
    page = typed(make_app(), target="shown", pasted=pasted.encode("utf-8", "replace").decode())
    assert (page.status_code, len(said(page))) == (200, 1)


# What the fields find


def test_each_field_shows_what_it_finds() -> None:
    app = make_app()
    body = kept(app, MOVED)
    page = typed(app, f"kept-{body.pk}", voipid_path="nowhere call.id", contact_path="members.0.wxid", time_path="x")
    assert found(page) == {
        "account": "168",
        "contact": "788",
        "voipid": "5",
        "kind": "voiceVideoCall",
        "nickname": "",
        "avatar": "",
        "time": "finds nothing",
        "end": "",
    }


def test_what_makes_the_notice_unreadable_is_said_in_words() -> None:
    app = make_app()
    body = kept(app, MOVED)
    assert verdict(helper(app)) == "Not readable: no call id"
    page = typed(app, f"kept-{body.pk}", voipid_path="call.id", contact_path="members.0.wxid")
    assert verdict(page) == "Not readable: the kind is neither 1 (video) nor 2 (voice)"


def test_a_notice_that_would_be_read_is_said_to_be_a_call() -> None:
    app = make_app()
    body = kept(app, MOVED)
    page = typed(app, f"kept-{body.pk}", voipid_path="call.id", contact_path="members.0.wxid", kind_path="call.media")
    assert verdict(page) == "Read as a call from 788 to 168, with the id 5: voice"


def test_a_notice_that_would_end_a_call_is_said_to() -> None:
    app = make_app()
    body = kept(app, MOVED)
    page = typed(app, f"kept-{body.pk}", voipid_path="call.id", end_path="call.media", end_values="1 2")
    assert verdict(page) == "Read as the end of the call 5 to 168."


def test_a_field_that_is_emptied_finds_nothing() -> None:
    app = make_app()
    body = kept(app, call_notice("168", "788", 5))
    page = typed(app, f"kept-{body.pk}", voipid_path="")
    assert (found(page)["voipid"], verdict(page)) == ("", "Not readable: no call id")


def test_typing_stores_nothing() -> None:
    app = make_app()
    typed(app, voipid_path="call.id")
    assert VendorApp.objects.get(pk=app.pk).voipid_path == "voipid"


@pytest.mark.parametrize(("target", "shown"), [("verdict", False), ("shown", True)])
def test_the_notice_is_sent_again_only_when_another_is_chosen(target: str, shown: bool) -> None:
    app = make_app()
    body = kept(app, MOVED)
    assert ('id="shown"' in text_of(typed(app, f"kept-{body.pk}", target))) == shown


# Saving


def saved(app: VendorApp, client: Client | None = None, **fields: str) -> Any:
    return (client or admin()).post(f"/mapping/{app.pk}/", FIELDS | fields)


def test_what_is_saved_is_how_callbacks_are_read_from_then_on() -> None:
    app = make_app()
    answer = saved(app, voipid_path="call.id", notice="kept-5")
    assert answer.headers["Location"] == f"/mapping/{app.pk}/?notice=kept-5"
    assert Sender.of(VendorApp.objects.get(pk=app.pk)).mapping.voipid == (("call", "id"),)


def test_saving_changes_the_mapping_alone() -> None:
    app = make_app(token="old")
    client = admin()
    form = client.get(f"/mapping/{app.pk}/")
    VendorApp.objects.filter(pk=app.pk).update(token="new", name="renamed")
    assert form.status_code == 200
    saved(app, client, voipid_path="call.id")
    app.refresh_from_db()
    assert (app.token, app.name, app.voipid_path) == ("new", "renamed", "call.id")


@pytest.mark.parametrize(
    "fields",
    [{"voipid_path": ""}, {"account_path": " "}, {"end_path": "state"}, {"end_values": "4"}, {"kind_path": "x" * 201}],
)
def test_what_cannot_work_is_refused_and_said(fields: dict[str, str]) -> None:
    app = make_app()
    kept(app, MOVED)
    page = saved(app, **fields)
    assert page.status_code == 200
    assert len(re.findall(r'<p class="said error" role="alert">[^<]', text_of(page))) == 1
    for name, value in FIELDS.items():
        assert name == "nickname_path" or getattr(VendorApp.objects.get(pk=app.pk), name) == value


def test_kept_callbacks_of_the_app_can_be_replayed_from_here() -> None:
    app = make_app()
    assert "Replay all kept callbacks" not in words_of(helper(app))
    for number in range(2):
        kept(app, call_notice("168", "788", number))
    page = helper(app)
    assert "2 callbacks of this app are kept" in words_of(page)
    assert f'<button class="button" name="app" value="{app.pk}">' in text_of(page)


def test_the_admin_pages_of_an_app_lead_here() -> None:
    app = make_app()
    assert f'href="/mapping/{app.pk}/"' in text_of(admin().get(f"/admin/calls/vendorapp/{app.pk}/change/"))


def test_an_app_that_is_none_has_no_mapping() -> None:
    assert admin().get("/mapping/123/").status_code == 404


# Strangers' texts, and what it costs


def test_no_text_of_strangers_is_taken_for_html() -> None:
    app = make_app(name=HOSTILE[:60])
    notice = {"type": "voiceVideoCall", "data": [{HOSTILE.replace(" ", "").replace(".", ""): HOSTILE, "voipid": HOSTILE}]}
    body = kept(app, notice)
    for page in (helper(app), typed(app, f"kept-{body.pk}", "shown", kind_path=HOSTILE)):
        assert HARMLESS in text_of(page)
        assert "<script>alert" not in text_of(page)
        assert "<img" not in text_of(page)


def test_a_change_of_direction_and_half_characters_are_harmless() -> None:
    app = make_app()
    body = kept(app, call_notice("168", "788", 5, nickname="\u202egnp\ud800", **{"\ud800": "\0"}))
    page = typed(app, f"kept-{body.pk}", "shown", nickname_path="nickname")
    assert standing(page)["nickname"] == found(page)["nickname"] == "\u202egnp?"
    assert text_of(page).count("<bdi>\u202egnp?</bdi>") == 2


def test_a_path_and_json_are_shown_in_the_order_in_which_they_are_written() -> None:
    app = make_app()
    body = kept(app, {"type": "voiceVideoCall", "data": [{"\u202egnp": "5"}]})
    page = typed(app, f"kept-{body.pk}", "shown")
    assert standing(page)["\u202egnp"] == "5"
    assert "<bdi>\\u202egnp</bdi></button>" in text_of(page)
    assert '"\\u202egnp": "5"' in html.unescape(text_of(page))


def test_a_notice_of_any_size_and_depth_can_be_shown() -> None:
    app = make_app()
    deep: Any = 5
    for _ in range(600):
        deep = [deep]
    wide = {f"key{number}": "x" * 1000 for number in range(2000)}
    for item in (deep, wide):
        body = kept(app, {"type": "voiceVideoCall", "data": {"x": item}})
        page = typed(app, f"kept-{body.pk}", "shown")
        assert (page.status_code, len(standing(page)) <= PLACES_SHOWN) == (200, True)
        assert len(text_of(page)) < 500_000


def test_a_step_of_thousands_of_digits_finds_nothing() -> None:
    app = make_app()
    answer = typed(app, f"kept-{kept(app, MOVED).pk}", contact_path=f"members.{'9' * 5000}.wxid")
    assert answer.status_code == 200
    assert "finds nothing" in words_of(answer)


def test_a_notice_that_would_be_huge_in_lines_is_cut_short() -> None:
    deep: Any = list(range(50_000))
    for _ in range(400):
        deep = {"x": deep}
    app = make_app()
    page = helper(app, notice=f"kept-{kept(app, MOVED | {'data': [deep]}).pk}")
    assert len(text_of(page)) < 3 * LONGEST_JSON


@pytest.mark.parametrize("number", [10, 1000])
def test_the_page_takes_the_same_queries_however_much_there_is(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    app = make_app()
    sealed = vault.seal(json.dumps([MOVED]).encode())
    UnreadBody.objects.bulk_create(
        UnreadBody(app=app, received_at=timezone.now(), body=sealed, opened=True, reason="no call id") for _ in range(number)
    )
    client = admin()
    with django_assert_num_queries(7):
        helper(app, client)
