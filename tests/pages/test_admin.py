from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.db import connections
from django.db.models import Model
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from calls.live import publish
from calls.models import Account, Avatar, Call, Contact, Person, Purge, Reason, Team, UnreadBody, VendorApp
from calls.vendor.sandbox import Sandbox

from ..factory import (
    AES_KEY,
    PASSWORD,
    make_account,
    make_app,
    make_call,
    make_contact,
    make_follow_up,
    make_person,
    make_team,
)
from ..factory import make_client as client_of
from ..server import free_port
from .reading import HOSTILE, text_of, words_of

pytestmark = pytest.mark.django_db

Role = Person.Role
MODELS = [model._meta.model_name for model in admin.site._registry]
SECRETS = {"app_secret": "s3cret-of-the-app", "access_token": "t0ken-for-good", "aes_key": AES_KEY}
NEITHER_SHOWN_NOR_SENT = (*SECRETS, "allow_plain_json")
APPS = "/admin/calls/vendorapp/"


def as_admin() -> Client:
    return client_of(make_person(password=None, role=Role.ADMIN))


def one_of(model: str) -> Model:
    """A row of this model."""
    app = make_app()
    rows: dict[str, Model] = {
        "followup": make_follow_up(make_call(make_account(app))),
        "vendorapp": app,
        "account": make_account(app, team=make_team()),
        "contact": make_contact(app),
        "team": make_team(),
        "reason": Reason.objects.create(team=make_team(), text="in a meeting"),
        "person": make_person(make_team(), password=None),
        "unreadbody": UnreadBody.objects.keep(app.pk, timezone.now(), b"{", "no JSON"),
        "purge": Purge.objects.create(day=timezone.localdate(), what=Purge.What.CALLS, before=timezone.now(), removed=1200),
    }
    return rows[model]


def saved(app: VendorApp, **fields: str) -> VendorApp:
    """The app after an admin opened its form, wrote these fields and left the others as they were."""
    names = admin.site._registry[VendorApp].get_form(None).base_fields
    written = {name: str(getattr(app, name)) for name in names if name not in NEITHER_SHOWN_NOR_SENT}
    answer = as_admin().post(f"{APPS}{app.pk}/change/", written | fields)
    assert answer.status_code == 302
    return VendorApp.objects.get(pk=app.pk)


def after_testing(*apps: VendorApp) -> str:
    """What the page says after an admin had the credentials of these apps tested."""
    action = {"action": "test_credentials", "_selected_action": [app.pk for app in apps]}
    return words_of(as_admin().post(APPS, action, follow=True))


# For whom


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
@pytest.mark.parametrize("path", ["", *(f"calls/{model}/" for model in MODELS), "calls/person/add/"])
def test_only_admins_are_let_in(role: Person.Role, path: str) -> None:
    answer = client_of(make_person(password=None, role=role, all_accounts=True)).get(f"/admin/{path}")
    assert answer.headers["Location"].startswith("/admin/login/")


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
def test_nobody_else_changes_a_role(role: Person.Role) -> None:
    person = make_person(password=None, role=role)
    client_of(person).post(f"/admin/calls/person/{person.pk}/change/", {"username": person.username, "role": "admin"})
    assert Person.objects.get().role == role


def test_somebody_not_signed_in_is_led_to_the_sign_in() -> None:
    answer = client_of().get("/admin/")
    assert answer.headers["Location"] == "/admin/login/?next=/admin/"
    assert client_of().get(answer.headers["Location"]).status_code == 200


def test_an_admin_who_is_one_no_longer_is_out_at_the_next_request() -> None:
    client = as_admin()
    assert client.get("/admin/").status_code == 200
    Person.objects.update(role=Role.SUPERVISOR)
    assert client.get("/admin/").status_code == 302


# Every page


def test_the_admin_holds_what_is_configured_and_nothing_else() -> None:
    assert set(MODELS) == {"vendorapp", "account", "contact", "team", "reason", "person", "unreadbody", "purge", "followup"}


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("model", MODELS)
def test_every_list_loads(model: str, language: str) -> None:
    one_of(model)
    client = client_of(make_person(password=None, role=Role.ADMIN), language)
    assert client.get(f"/admin/calls/{model}/").status_code == 200


@pytest.mark.parametrize("language", ["en", "zh-hans"])
@pytest.mark.parametrize("model", MODELS)
def test_every_form_loads(model: str, language: str) -> None:
    row = one_of(model)
    client = client_of(make_person(password=None, role=Role.ADMIN), language)
    assert client.get(f"/admin/calls/{model}/{row.pk}/change/").status_code == 200


@pytest.mark.parametrize(
    ("model", "status"),
    [
        ("vendorapp", 200),
        ("account", 403),
        ("contact", 403),
        ("team", 200),
        ("person", 200),
        ("unreadbody", 403),
        ("purge", 403),
    ],
)
def test_what_makes_itself_can_not_be_added(model: str, status: int) -> None:
    assert as_admin().get(f"/admin/calls/{model}/add/").status_code == status


@pytest.mark.parametrize("model", ["person", "account", "contact"])
def test_who_is_on_record_in_history_has_no_page_for_deleting(model: str) -> None:
    row = one_of(model)
    assert as_admin().get(f"/admin/calls/{model}/{row.pk}/delete/").status_code == 403


@pytest.mark.parametrize("model", ["person", "account", "contact"])
def test_who_is_on_record_in_history_is_not_deleted_from_the_list_either(model: str) -> None:
    row = one_of(model)
    action = {"action": "delete_selected", "_selected_action": [row.pk], "post": "yes"}
    as_admin().post(f"/admin/calls/{model}/", action)
    assert type(row)._default_manager.filter(pk=row.pk).exists()


@pytest.mark.parametrize("model", MODELS)
def test_every_history_of_changes_loads(model: str) -> None:
    row = one_of(model)
    assert as_admin().get(reverse(f"admin:calls_{model}_history", args=[row.pk])).status_code == 200


# A vendor app's secrets


@pytest.mark.parametrize("page", [APPS, APPS + "{}/change/", APPS + "{}/history/", APPS + "{}/delete/"])
def test_no_page_shows_a_secret(page: str) -> None:
    app = make_app(**SECRETS, token="fetched-t0ken")
    shown = text_of(as_admin().get(page.format(app.pk)))
    assert app.name in shown
    assert [secret for secret in (*SECRETS.values(), "fetched-t0ken") if secret in shown] == []


def test_a_form_with_an_error_does_not_send_secrets_back() -> None:
    answer = as_admin().post(f"{APPS}add/", {"name": "", **SECRETS})
    assert answer.status_code == 200
    assert [secret for secret in SECRETS.values() if secret in text_of(answer)] == []


@pytest.mark.parametrize("name", SECRETS)
def test_a_secret_left_empty_stays(name: str) -> None:
    app = make_app(**SECRETS)
    assert getattr(saved(app, name="renamed"), name) == SECRETS[name]


def test_what_is_saved_beside_the_secrets_is_saved() -> None:
    assert saved(make_app(**SECRETS), name="renamed").name == "renamed"


@pytest.mark.parametrize(("name", "value"), [("app_secret", "new"), ("access_token", "new"), ("aes_key", "Z" * 43)])
def test_a_secret_that_is_written_is_replaced(name: str, value: str) -> None:
    app = saved(make_app(**SECRETS), **{name: value})
    assert getattr(app, name) == value


def test_a_fixed_token_replaces_the_app_secret() -> None:
    app = saved(make_app(app_secret="old"), access_token="new")
    assert (app.access_token, app.app_secret) == ("new", "")


def test_an_app_secret_replaces_the_fixed_token() -> None:
    app = saved(make_app(app_secret="", access_token="old"), app_secret="new")
    assert (app.access_token, app.app_secret) == ("", "new")


def test_an_app_has_one_way_to_a_token_not_both() -> None:
    given = {"name": "app", "base_url": "http://127.0.0.1", "app_id": "1", **SECRETS}
    answer = client_of(make_person(password=None, role=Role.ADMIN), "en").post(f"{APPS}add/", given)
    assert "Give an app_secret or a fixed access_token, not both." in text_of(answer)
    assert not VendorApp.objects.exists()


def test_an_app_needs_its_key() -> None:
    answer = as_admin().post(f"{APPS}add/", {"name": "app", "base_url": "http://127.0.0.1", "app_id": "1"})
    assert 'id="id_aes_key_error"' in text_of(answer)
    assert not VendorApp.objects.exists()


def test_saving_forgets_the_token_that_was_fetched() -> None:
    app = make_app(token="fetched", token_good_until=timezone.now() + timedelta(hours=1))
    app = saved(app)
    assert (app.token, app.token_good_until) == ("", None)


def test_the_callback_address_is_shown() -> None:
    app = make_app()
    page = as_admin().get(f"{APPS}{app.pk}/change/")
    assert app.callback_url in words_of(page)
    assert f'data-copy="{app.callback_url}"' in text_of(page)


def test_a_new_app_says_when_its_callback_address_will_be_shown() -> None:
    assert "Shown once this is saved." in words_of(as_admin().get(f"{APPS}add/"))


# Test the credentials


def test_credentials_that_work_are_said_to(sandbox: Sandbox) -> None:
    assert "the credentials work" in after_testing(make_app(base_url=sandbox.url))


def test_credentials_that_work_are_said_to_though_the_token_at_hand_was_replaced(sandbox: Sandbox) -> None:
    sandbox.tokens.append("somebody else's")
    app = make_app(base_url=sandbox.url, token="ours", token_good_until=timezone.now() + timedelta(hours=1))
    assert "the credentials work" in after_testing(app)


def test_credentials_that_are_missing_are_said_to_be() -> None:
    assert "there is neither an app_secret nor a fixed access_token" in after_testing(make_app(app_secret=""))


def test_a_wrong_secret_is_said_with_the_vendors_code(sandbox: Sandbox) -> None:
    words = after_testing(make_app(base_url=sandbox.url, app_secret="wrong"))
    assert "the vendor refused" in words
    assert "(102)" in words


def test_a_wrong_fixed_token_is_said_with_the_vendors_code(sandbox: Sandbox) -> None:
    words = after_testing(make_app(base_url=sandbox.url, app_secret="", access_token="wrong"))
    assert "the vendor refused" in words
    assert "(110)" in words


def test_a_vendor_out_of_reach_is_said_to_be() -> None:
    app = make_app(base_url=f"http://127.0.0.1:{free_port()}")
    assert "the vendor could not be reached" in after_testing(app)


def test_an_answer_that_makes_no_sense_is_said_to(sandbox: Sandbox) -> None:
    sandbox.misbehave("/wechat/list", "server-error")
    assert "the vendor's answer made no sense" in after_testing(make_app(base_url=sandbox.url))


def test_each_chosen_app_is_tested(sandbox: Sandbox) -> None:
    right, wrong = (
        make_app(name="Right", base_url=sandbox.url),
        make_app(name="Wrong", base_url=sandbox.url, app_secret="wrong"),
    )
    words = after_testing(right, wrong)
    assert f"{right.name}: the credentials work" in words
    assert f"{wrong.name}: the vendor refused" in words


# People, teams and accounts


def add_person(**fields: object) -> str:
    """What the page says that answers; nothing where the person was added."""
    new = {"username": "ada", "name": "Ada", "role": "agent", "password1": PASSWORD, "password2": PASSWORD}
    return words_of(as_admin().post("/admin/calls/person/add/", new | fields))


def test_a_person_is_added_with_a_team() -> None:
    team = make_team()
    add_person(teams=[team.pk], must_change_password="on")
    ada = Person.objects.get(username="ada")
    assert list(ada.teams.all()) == [team]
    assert (ada.name, ada.role, ada.must_change_password, ada.is_active) == ("Ada", Role.AGENT, True, True)


def test_an_added_person_can_sign_in() -> None:
    add_person()
    answer = client_of().post("/login/", {"username": "ada", "password": PASSWORD})
    assert answer.headers["Location"] == "/"


def test_a_person_with_a_poor_password_is_not_added() -> None:
    assert "This password is too short." in add_person(password1="12345", password2="12345")
    assert not Person.objects.filter(username="ada").exists()


def test_a_username_is_given_once() -> None:
    make_person(username="ada", password=None)
    assert "Somebody has this username already." in add_person()


def test_a_person_is_deactivated_and_keeps_their_team() -> None:
    team = make_team()
    person = make_person(team, password=None)
    written = {"username": person.username, "role": "agent", "teams": [team.pk]}
    as_admin().post(f"/admin/calls/person/{person.pk}/change/", written)
    person.refresh_from_db()
    assert (person.is_active, list(person.teams.all())) == (False, [team])


def test_no_page_shows_a_passwords_hash() -> None:
    person = make_person()
    page = text_of(as_admin().get(f"/admin/calls/person/{person.pk}/change/"))
    assert person.password.rpartition("$")[2] not in page


def test_a_team_is_added() -> None:
    as_admin().post("/admin/calls/team/add/", {"name": "售后", "follow_up": "missed"})
    added = Team.objects.get()
    assert (added.name, added.follow_up) == ("售后", "missed")


def test_a_team_is_added_by_its_name_alone() -> None:
    assert as_admin().post("/admin/calls/team/add/", {"name": "售后"}).status_code == 302
    assert Team.objects.get().follow_up == Team.FollowUps.BY_HAND


def test_an_account_is_put_into_a_team() -> None:
    account, team = make_account(team=None), make_team()
    as_admin().post(f"/admin/calls/account/{account.pk}/change/", {"name": "小林", "team": team.pk})
    changed = Account.objects.get()
    assert (changed.name, changed.team, changed.wxid) == ("小林", team, account.wxid)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("model", ["account", "team"])
async def test_saving_who_sees_what_asks_every_page_for_a_fresh_board(model: str) -> None:
    layer = get_channel_layer()
    assert layer is not None
    channel = await layer.new_channel()
    await layer.group_add(publish.GROUP, channel)

    def save() -> int:
        try:
            row = one_of(model)
            return (
                as_admin()
                .post(f"/admin/calls/{model}/{row.pk}/change/", {"name": "renamed", "follow_up": "hand"})
                .status_code
            )
        finally:
            connections.close_all()

    assert await sync_to_async(save)() == 302
    async with asyncio.timeout(5):
        assert (await layer.receive(channel))["boards"] is True


# Contacts


def test_an_admin_is_shown_what_is_known_of_a_contact_and_why_there_is_no_picture() -> None:
    known = {"nickname": "王秀英", "remark": "老王", "tags": ["VIP", "<b>"], "mark": "blocked"}
    contact = make_contact(make_app(), **known)
    address = f"/admin/calls/contact/{contact.pk}/change/"
    assert "not fetched" in text_of(as_admin().get(address))
    avatar = Avatar.objects.create(contact=contact, tried_at=timezone.now(), failure="HTTP 404: <b>", picture=b"")
    page = text_of(as_admin().get(address))
    for part in ("王秀英", "老王", "VIP · &lt;b&gt;", "blocked", "HTTP 404: &lt;b&gt;"):
        assert part in page
    Avatar.objects.filter(pk=avatar.pk).update(version="v1")
    assert f'<img src="/contacts/{contact.pk}/avatar/v1"' in text_of(as_admin().get(address))


# What was purged


def test_what_was_purged_is_on_record_and_changed_by_nobody() -> None:
    row = one_of("purge")
    words = words_of(as_admin().get("/admin/calls/purge/"))
    assert "calls 1200" in words
    for page in ("change", "delete"):
        assert as_admin().post(f"/admin/calls/purge/{row.pk}/{page}/", {"removed": 0, "post": "yes"}).status_code == 403
    assert Purge.objects.get().removed == 1200


# A contact's data


def somebody(**fields: Any) -> Contact:
    """A contact with a call that is over."""
    contact = make_contact(make_app(), nickname="北辰物流-陈经理")
    make_call(contact=contact, **{"received_at": timezone.now() - timedelta(days=1)} | fields)
    return contact


def page_of(contact: Contact, what: str) -> str:
    return f"/admin/calls/contact/{contact.pk}/{what}/"


def test_a_contacts_page_leads_to_export_and_erase() -> None:
    contact = somebody()
    page = text_of(as_admin().get(page_of(contact, "change")))
    assert f'href="{page_of(contact, "export")}"' in page
    assert f'href="{page_of(contact, "erase")}"' in page


def test_a_contacts_data_is_exported_as_a_file_and_that_is_on_record(caplog: pytest.LogCaptureFixture) -> None:
    contact, client = somebody(), as_admin()
    with caplog.at_level(logging.INFO, "calls.admin"):
        answer = client.get(page_of(contact, "export"))
    assert answer.headers["Content-Disposition"] == f'attachment; filename="contact-{contact.pk}.json"'
    assert answer.json()["contact"]["nickname"] == contact.nickname
    assert contact.nickname in text_of(answer)
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.object_repr) == (Person.objects.get(), str(contact.pk), f"#{contact.pk}")
    assert [contact.nickname in text or contact.wxid in text for text in caplog.messages] == [False]
    assert client.get(page_of(contact, "history")).status_code == 200


def test_erasing_is_asked_for_first() -> None:
    contact = somebody()
    page = as_admin().get(page_of(contact, "erase"))
    assert "1 call stays on record" in words_of(page)
    assert "This can't be undone." in words_of(page)
    assert Contact.objects.get() == contact


def test_a_contact_is_erased_and_that_is_on_record_by_number_alone(caplog: pytest.LogCaptureFixture) -> None:
    contact, client = somebody(), as_admin()
    with caplog.at_level(logging.INFO):
        page = client.post(page_of(contact, "erase"), follow=True)
    assert "Erased. 1 call stays on record." in words_of(page)
    assert Call.objects.get().contact.wxid == f"erased-{contact.pk}"
    assert not Contact.objects.filter(wxid=contact.wxid).exists()
    entry = LogEntry.objects.get()
    assert (entry.user, entry.object_id, entry.object_repr) == (Person.objects.get(), str(contact.pk), f"#{contact.pk}")
    assert entry.is_deletion()
    assert not any(text in line for text in (contact.nickname, contact.wxid) for line in caplog.messages)
    assert text_of(client.get("/admin/")).count(contact.wxid) == 0


def test_a_contact_whose_call_rings_is_not_erased_and_the_reader_told_why() -> None:
    contact = somebody(received_at=timezone.now())
    page = as_admin().post(page_of(contact, "erase"), follow=True)
    assert "A call of this contact is not over" in words_of(page)
    assert Contact.objects.get() == contact
    assert not LogEntry.objects.exists()


def test_callbacks_that_nobody_can_read_are_told_of() -> None:
    contact = somebody()
    UnreadBody.objects.keep(contact.app_id, timezone.now(), b"ciphertext", "can't be decrypted")
    assert "1 kept callback can't be read" in words_of(as_admin().post(page_of(contact, "erase"), follow=True))


@pytest.mark.parametrize("role", [Role.AGENT, Role.SUPERVISOR])
@pytest.mark.parametrize("what", ["export", "erase"])
def test_nobody_but_admins_exports_or_erases(role: Person.Role, what: str) -> None:
    contact = somebody()
    client = client_of(make_person(password=None, role=role, all_accounts=True))
    for answer in (client.get(page_of(contact, what)), client.post(page_of(contact, what))):
        assert answer.headers["Location"].startswith("/admin/login/")
    assert Contact.objects.get() == contact


def test_erasing_needs_the_pages_own_token() -> None:
    contact = somebody()
    client = client_of(make_person(password=None, role=Role.ADMIN), enforce_csrf_checks=True)
    assert client.post(page_of(contact, "erase")).status_code == 403
    assert Contact.objects.get() == contact


@pytest.mark.parametrize("what", ["export", "erase"])
def test_of_a_contact_that_is_not_there_nothing_is_exported_or_erased(what: str) -> None:
    client = as_admin()
    assert client.get(f"/admin/calls/contact/5/{what}/").status_code == 404
    assert client.post(f"/admin/calls/contact/5/{what}/").status_code in {404, 405}


# Strangers' texts


def test_no_text_of_strangers_is_taken_for_html() -> None:
    app = make_app(name=HOSTILE[:60])
    contact = make_contact(app, nickname=HOSTILE, wxid="<script>")
    account = make_account(app, name=HOSTILE[:60], team=make_team(name=HOSTILE[:60]))
    UnreadBody.objects.keep(app.pk, timezone.now(), HOSTILE.encode(), HOSTILE)
    client = as_admin()
    paths = [
        "contact/",
        f"contact/{contact.pk}/change/",
        f"contact/{contact.pk}/erase/",
        "account/",
        f"account/{account.pk}/change/",
        "unreadbody/",
        "team/",
    ]
    for path in paths:
        page = text_of(client.get(f"/admin/calls/{path}"))
        assert "&lt;script&gt;" in page
        assert "<script>alert" not in page
        assert "<img src=x" not in page
