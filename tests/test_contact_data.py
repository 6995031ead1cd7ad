"""A contact's data: written out whole, and erased without a trace."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from asgiref.sync import sync_to_async
from channels.layers import get_channel_layer
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection, connections
from django.utils import timezone

from calls import contact_data, search
from calls.contact_data import StillBusy, erase
from calls.live import publish
from calls.models import (
    Attempt,
    Avatar,
    Call,
    Callback,
    Contact,
    Export,
    Note,
    NoticeSample,
    Person,
    RawNotice,
    SavedView,
    UnreadBody,
    VendorApp,
)
from calls.receive import Receipt
from calls.search.grams import pieces_in_all_with
from calls.vault import fingerprint, seal
from calls.vendor import envelope
from calls.vendor.sandbox import call_notice, chat_notice
from calls.writer import Writer

from .desk import Desk
from .factory import (
    AES_KEY,
    encrypted,
    make_account,
    make_app,
    make_attempt,
    make_call,
    make_contact,
    make_follow_up,
    make_person,
)
from .test_receive import batch, incoming

pytestmark = pytest.mark.django_db

WXID = "7881302848173300"
NICKNAME = "北辰物流-陈经理"
REMARK, TAG = "老陈（北辰）", "回头客"
AVATAR = "https://wx.example.com/chen.png"
KEY = envelope.key_bytes(AES_KEY)
LONG_AGO = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


@pytest.fixture
def contact() -> Contact:
    known = {"remark": REMARK, "tags": [TAG], "mark": "blocked", "changed_at": LONG_AGO}
    known |= {"changed_by": make_person(username="zhaomin", name="赵敏", password=None)}
    contact = make_contact(make_app(name="main"), wxid=WXID, nickname=NICKNAME, avatar=AVATAR, **known)
    Avatar.objects.create(contact=contact, address=AVATAR, tried_at=LONG_AGO, version="v1", picture=b"picture")
    return contact


@pytest.fixture
def agent() -> Person:
    return make_person(username="lilei", name="李雷", password=None)


def full_call(contact: Contact, agent: Person, **fields: Any) -> Call:
    """A call of theirs, with all that can belong to one and says who they are."""
    account = make_account(contact.app, wxid=f"1688{Call.objects.count():012}", name="小林")
    defaults = {"received_at": LONG_AGO, "outcome": "rejected", "claimed_by": agent, "kind": 1}
    call = make_call(account, contact=contact, **defaults | fields)
    answer = json.dumps({"errcode": 0, "chat_wxid": contact.wxid, "name": contact.nickname})  # the name spelt in escapes
    make_attempt(call, agent, started_at=LONG_AGO, answer=answer, message=f"accepted for {contact.nickname}")
    Note.objects.create(call=call, person=agent, written_at=LONG_AGO, text=f"{contact.nickname} calls every day")
    make_follow_up(
        call, added_at=LONG_AGO, added_by=agent, done_at=LONG_AGO, done_by=agent, note=f"{contact.nickname} is content"
    )
    notice = call_notice(account.wxid, contact.wxid, call.voipid, nickname=contact.nickname)
    RawNotice.objects.create(call=call, received_at=LONG_AGO, body=json.dumps(notice, ensure_ascii=False))
    return call


def kept(app: VendorApp, *notices: Any) -> UnreadBody:
    """What is kept of notices that made no sense."""
    content = json.dumps(notices, ensure_ascii=False).encode()
    return UnreadBody.objects.keep(app.pk, timezone.now(), content, "no call id", opened=True)


def kept_closed(app: VendorApp, content: bytes) -> UnreadBody:
    """A body that could not be opened."""
    return UnreadBody.objects.keep(app.pk, timezone.now(), content, "the body can't be decrypted")


def keep_sample(app: VendorApp, notice: Any) -> None:
    content = json.dumps(notice).encode()
    NoticeSample.objects.create(app=app, received_at=LONG_AGO, form=fingerprint(content), body=seal(content))


def spellings(text: str) -> list[bytes]:
    """As it may stand in a file or a column."""
    ways = [text, quote(text), json.dumps(text)[1:-1], text.encode("unicode_escape").decode()]
    return [way.encode() for way in ways] + [text.encode("utf-16-le")]


def tables() -> Iterator[tuple[str, bytes]]:
    """Every value of every table, after where it stands; of what is kept encrypted also the content."""
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            if table.endswith("_pieces"):  # can't be read, only asked: tested by itself
                continue
            cursor.execute(f'SELECT * FROM "{table}"')  # noqa: S608
            names = [column[0] for column in cursor.description]
            for row in cursor.fetchall():
                for name, value in zip(names, row, strict=True):
                    yield f"{table}.{name}", value if isinstance(value, bytes) else str(value).encode()
    for model in (UnreadBody, NoticeSample):
        for sealed in model.objects.all():
            yield f"content of {model.__name__}", sealed.content


def traces() -> set[str]:
    """Where in the database something still says who they are."""
    spelt = [way for text in (WXID, NICKNAME, AVATAR, REMARK, TAG) for way in spellings(text)]
    return {place for place, value in tables() if any(way in value for way in spelt)}


def contact_command(*arguments: str, said: str | None = None) -> tuple[str, str]:
    """What the command printed, and what it said beside that."""
    printed, beside = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(said or ""))
        call_command("contact", *arguments, stdout=printed, stderr=beside)
    return printed.getvalue(), beside.getvalue()


# Written out


def test_the_export_holds_all_that_is_kept_about_somebody(contact: Contact, agent: Person) -> None:
    call = full_call(contact, agent, voipid="5", called_at=LONG_AGO, shown_at=LONG_AGO + timedelta(seconds=1))
    full_call(make_contact(contact.app, nickname="somebody else"), agent)
    written = contact_data.export(contact)
    assert written["vendor_app"] == "main"
    picture = {"fetched_at": "2026-01-02T03:04:05+00:00", "type": "image/webp", "base64": "cGljdHVyZQ=="}
    assert written["contact"] == {
        "wxid": WXID, "nickname": NICKNAME, "avatar": AVATAR, "picture": picture,
        "remark": REMARK, "tags": [TAG], "mark": "blocked", "changed_by": "赵敏", "changed_at": "2026-01-02T03:04:05+00:00",
    }  # fmt: skip
    [told] = written["calls"]
    assert (told["id"], told["call_id"], told["kind"], told["outcome"], told["by"]) == (
        call.pk, "5", "video", "rejected", "李雷",
    )  # fmt: skip
    assert told["account"] == {"wxid": call.account.wxid, "name": "小林"}
    assert (told["received_at"], told["first_shown_at"]) == ("2026-01-02T03:04:05+00:00", "2026-01-02T03:04:06+00:00")
    [attempt] = told["attempts"]
    assert (attempt["result"], attempt["code"], attempt["by"]) == ("accepted", "0", "李雷")
    assert json.loads(attempt["answer"])["name"] == NICKNAME
    assert [note["text"] for note in told["notes"]] == [f"{NICKNAME} calls every day"]
    [follow_up] = told["follow_ups"]
    assert (follow_up["added_by"], follow_up["done_by"], follow_up["note"]) == ("李雷", "李雷", f"{NICKNAME} is content")
    assert told["notice"]["data"][0]["chat_wxid"] == WXID
    assert "somebody else" not in json.dumps(written, ensure_ascii=False)


def test_a_contact_without_calls_is_written_out_too(contact: Contact) -> None:
    assert contact_data.export(contact)["calls"] == []


def test_an_export_of_many_calls_asks_the_database_a_few_times_only(
    contact: Contact, agent: Person, django_assert_max_num_queries: Any
) -> None:
    for _ in range(12):
        full_call(contact, agent)
    with django_assert_max_num_queries(7):
        assert len(contact_data.export(contact)["calls"]) == 12


def test_the_command_prints_the_export_as_json(contact: Contact, agent: Person) -> None:
    full_call(contact, agent)
    printed, _ = contact_command(WXID, "--export", "-")
    assert NICKNAME in printed
    assert json.loads(printed)["contact"]["wxid"] == WXID


def test_the_command_writes_a_file_for_its_owner_alone(contact: Contact, tmp_path: Path) -> None:
    file = tmp_path / "contact.json"
    printed, beside = contact_command(WXID, "--export", str(file))
    assert (printed, beside.strip()) == ("", f"Written to {file}.")
    assert json.loads(file.read_text())["contact"]["nickname"] == NICKNAME
    assert file.stat().st_mode & 0o777 == 0o600


def test_the_command_writes_over_no_file_and_erases_nothing_then(contact: Contact, tmp_path: Path) -> None:
    file = tmp_path / "contact.json"
    file.write_text("precious")
    with pytest.raises(CommandError, match="can't be written: File exists"):
        contact_command(WXID, "--export", str(file), "--erase", "--yes")
    assert file.read_text() == "precious"
    assert Contact.objects.get() == contact


# Erased


def test_erasing_leaves_no_trace_in_any_table(contact: Contact, agent: Person) -> None:
    app = contact.app
    for _ in range(3):
        full_call(contact, agent)
    others = full_call(make_contact(app, nickname="somebody else"), agent)
    Note.objects.create(call=others, person=agent, written_at=LONG_AGO, text=f"is the same as {WXID}?")
    keep_sample(app, call_notice("1688", WXID, 5, nickname=NICKNAME))
    kept(app, {"type": "voiceVideoCall", "rel_wxid": "1688", "data": [{"who": int(WXID)}, {"name": f"<{WXID}>"}]})
    kept_closed(app, json.dumps([chat_notice("1688", f"to {WXID}")]).encode())
    kept_closed(app, envelope.seal([call_notice("1688", WXID, 5)], KEY))  # the key was wrong then, and is right now
    SavedView.objects.create(owner=agent, name="Chen", query=urlencode({"q": NICKNAME}))
    SavedView.objects.create(owner=agent, name=f"all of {NICKNAME}", query="")
    SavedView.objects.create(owner=agent, name="by remark", query=urlencode({"q": REMARK}))
    Export.objects.create(person=agent, requested_at=LONG_AGO, format="csv", query=urlencode({"q": WXID, "kind": 1}))
    assert {place.partition(".")[0] for place in traces()} >= {
        "calls_contact", "calls_avatar", "calls_note", "calls_followup", "calls_attempt", "calls_rawnotice",
        "calls_savedview", "calls_export", "content of UnreadBody", "content of NoticeSample",
    }  # fmt: skip
    erased = erase(contact)
    assert traces() == set()
    assert (erased.calls, erased.notices, erased.notes, erased.answers) == (
        3,
        3,
        7,
        3,
    )  # a note of each call, one elsewhere, and one of each follow-up
    assert (erased.samples, erased.unread, erased.unread_unknown) == (1, 3, 0)
    assert (erased.views, erased.searches) == (3, 1)


@pytest.mark.sqlite_only  # elsewhere an index holds what its rows hold
def test_erasing_leaves_no_trace_in_the_index_of_search(contact: Contact, agent: Person) -> None:
    full_call(contact, agent)
    search.rebuild()
    before = in_index("calls_contact", NICKNAME), in_index("calls_note", NICKNAME)
    erase(contact)
    search.index_some()
    assert (before, in_index("calls_contact", NICKNAME), in_index("calls_note", NICKNAME)) == ((True, True), False, False)


def in_index(table: str, text: str) -> bool:
    """Whether some row is said to have all pieces of this text."""
    words = " ".join(piece.encode().hex() for piece in pieces_in_all_with(text))
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT rowid FROM {table}_pieces WHERE {table}_pieces MATCH %s", [words])  # noqa: S608
        return bool(cursor.fetchall())


@pytest.mark.django_db(transaction=True)
@pytest.mark.sqlite_only
def test_erasing_leaves_no_trace_in_the_databases_files(contact: Contact, agent: Person) -> None:
    for _ in range(3):
        full_call(contact, agent)
    name = str(connection.settings_dict["NAME"]).removeprefix("file:").partition("?")[0]
    files = [Path(name), Path(f"{name}-wal")]

    def holding(text: str) -> list[str]:
        return [file.name for file in files for way in spellings(text) if file.exists() and way in file.read_bytes()]

    assert holding(NICKNAME)
    erase(contact)
    assert holding(WXID) == holding(NICKNAME) == []


def test_what_happened_stays_on_record(contact: Contact, agent: Person) -> None:
    full_call(contact, agent, voipid="5", ended_at=LONG_AGO, shown_at=LONG_AGO, screens=2)
    before = Call.objects.values().get()
    notes = list(Note.objects.values("person", "written_at"))
    attempts = list(Attempt.objects.values("person", "started_at", "answered_at", "result", "errcode", "milliseconds"))
    erase(contact)
    after = Call.objects.values().get()
    changed = {"contact_id", "version"}
    assert {name: value for name, value in after.items() if name not in changed} == {
        name: value for name, value in before.items() if name not in changed
    }
    assert list(Note.objects.values("person", "written_at")) == notes
    fields = ("person", "started_at", "answered_at", "result", "errcode", "milliseconds")
    assert list(Attempt.objects.values(*fields)) == attempts


def test_their_calls_are_still_known_to_be_one_contacts(contact: Contact, agent: Person) -> None:
    calls = [full_call(contact, agent) for _ in range(3)]
    pk = contact.pk
    erase(contact)
    nobody = Contact.objects.get()
    assert (nobody.wxid, nobody.nickname, nobody.avatar, nobody.app) == (f"erased-{pk}", "", "", contact.app)
    assert nobody.calls.count() == len(calls)


def test_others_keep_what_is_kept_about_them(contact: Contact, agent: Person) -> None:
    other = make_contact(contact.app, nickname=NICKNAME)  # the same name, by chance
    namesake = make_contact(make_app(), wxid=WXID, nickname="the same id at another app")
    calls = [full_call(other, agent), full_call(namesake, agent)]
    keep_sample(contact.app, call_notice("1688", f"{WXID}0", 5))
    body = kept(contact.app, {"type": "voiceVideoCall", "data": [{"chat_wxid": f"1{WXID}"}]})
    view = SavedView.objects.create(owner=agent, name="today", query="period=today&q=Chen")
    erase(contact)
    assert set(Contact.objects.all()) == {other, namesake}
    assert RawNotice.objects.filter(call__in=calls).count() == 2
    assert [note.text for note in Note.objects.all()] == [
        f"{NICKNAME} calls every day",
        f"{namesake.nickname} calls every day",
    ]
    assert all(attempt.answer and attempt.message for attempt in Attempt.objects.all())
    assert NoticeSample.objects.count() == 1
    assert list(UnreadBody.objects.all()) == [body]
    assert list(SavedView.objects.all()) == [view]


def test_of_a_kept_callback_the_notices_that_concern_others_stay_and_can_be_replayed(contact: Contact) -> None:
    mine, others = {"chat_wxid": WXID, "hint": 1}, {"chat_wxid": "788", "hint": 2}
    notice = {"type": "voiceVideoCall", "rel_wxid": "1688", "data": [mine, others]}
    body = kept(contact.app, notice, notice | {"data": [mine]})
    row = Callback.objects.create(app=contact.app, received_at=LONG_AGO, result="unreadable", body=body)
    erase(contact)
    left = UnreadBody.objects.get()
    assert json.loads(left.content) == [notice | {"data": [others]}]
    assert (left.received_at, left.reason, left.opened) == (body.received_at, body.reason, True)
    row.refresh_from_db()
    assert row.body == left


def test_of_a_body_that_can_be_opened_now_no_chat_message_is_kept(contact: Contact) -> None:
    others = call_notice("1688", "788", 6)
    sealed = envelope.seal([chat_notice("1688", f"to {WXID}"), others, call_notice("1688", WXID, 5)], KEY)
    kept_closed(contact.app, sealed)
    erase(contact)
    assert json.loads(UnreadBody.objects.get().content) == [others]


def test_what_cannot_be_read_is_counted_and_stays(contact: Contact) -> None:
    body = kept_closed(contact.app, encrypted(b"[]", b"0" * 32))
    locked = kept(contact.app, {"type": "voiceVideoCall"})
    UnreadBody.objects.filter(pk=locked.pk).update(body=b"sealed under another key")
    assert erase(contact).unread_unknown == 2
    assert set(UnreadBody.objects.all()) == {body, locked}


def test_files_that_were_exported_are_deleted_and_what_is_under_way_is_given_up(
    contact: Contact, agent: Person, own_data_folder: Path
) -> None:
    folder = own_data_folder / "exports"
    folder.mkdir()
    (own_data_folder / "secret_key").write_text("precious")
    for state, file in [("done", "1.csv"), ("running", "2.csv"), ("running", ""), ("failed", "")]:
        Export.objects.create(person=agent, requested_at=LONG_AGO, format="csv", state=state, file=file, rows=7)
        (folder / (file or f"{state}.xlsx")).write_text(NICKNAME)
    (folder / "somebody else's").write_text("precious")
    (folder / "2.part").mkdir()
    (folder / "2.part" / "whole").write_text(NICKNAME)
    assert erase(contact).files == 4
    assert [file.name for file in folder.iterdir()] == ["somebody else's"]
    exports = Export.objects.order_by("id").values_list("state", "file", "rows")
    assert list(exports) == [("done", "", 7), ("cancelled", "", 7), ("cancelled", "", 7), ("failed", "", 7)]
    assert (own_data_folder / "secret_key").exists()


def test_an_export_that_is_begun_meanwhile_is_deleted_too(
    contact: Contact, agent: Person, own_data_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = own_data_folder / "exports"
    erase_some = contact_data._erase_some_calls

    def after_an_export(*arguments: Any) -> bool:
        folder.mkdir(exist_ok=True)
        (folder / "begun.csv").write_text(NICKNAME)
        return erase_some(*arguments)

    monkeypatch.setattr(contact_data, "_erase_some_calls", after_an_export)
    erase(contact)
    assert list(folder.iterdir()) == []


def test_the_number_of_an_erased_contact_is_in_no_saved_view_any_more(contact: Contact, agent: Person) -> None:
    SavedView.objects.create(owner=agent, name="the daily caller", query=f"contact={contact.pk}")
    assert erase(contact).views == 1


@pytest.mark.parametrize("nickname", ["", "王"])
def test_a_short_name_or_none_takes_no_text_along_that_only_holds_it(contact: Contact, agent: Person, nickname: str) -> None:
    Contact.objects.update(nickname=nickname)
    contact.refresh_from_db()
    SavedView.objects.create(owner=agent, name="王主管的视图", query="")
    make_attempt(make_call(contact=contact, received_at=LONG_AGO), agent, answer='{"": "国王"}', message="王后")
    erased = erase(contact)
    assert (erased.views, erased.answers) == (0, 0)


# In steps, and not too early


def test_many_calls_are_erased_in_steps(contact: Contact, agent: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_data, "CALLS_AT_ONCE", 2)
    for _ in range(5):
        full_call(contact, agent)
    assert erase(contact).calls == 5
    assert traces() == set()
    assert Contact.objects.count() == 1


def test_whoever_was_interrupted_does_it_again(contact: Contact, agent: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(contact_data, "CALLS_AT_ONCE", 2)
    for _ in range(5):
        full_call(contact, agent)
    steps = 0

    def interrupted(execute: Any, sql: str, *rest: Any) -> Any:
        nonlocal steps
        steps += sql.startswith("UPDATE") and "calls_call" in sql
        if steps == 2:
            raise KeyboardInterrupt
        return execute(sql, *rest)

    with pytest.raises(KeyboardInterrupt), connection.execute_wrapper(interrupted):
        erase(contact)
    assert sorted(one.calls.count() for one in Contact.objects.all()) == [2, 3]
    assert erase(Contact.objects.get(wxid=WXID)).calls == 3
    assert traces() == set()
    assert Contact.objects.get().calls.count() == 5


@pytest.mark.parametrize(
    "state",
    [
        {"rings_until": timedelta(seconds=5)},
        {"claimed_until": timedelta(seconds=5)},
        {"claimed_until": timedelta(days=-1)},  # its result may still be saved
    ],
)
def test_nobody_is_erased_whose_call_is_not_over(contact: Contact, agent: Person, state: dict[str, timedelta]) -> None:
    times = {name: timezone.now() + in_so_long for name, in_so_long in state.items()}
    full_call(contact, agent, outcome="unconfirmed", **times)
    before = traces()
    with pytest.raises(StillBusy):
        erase(contact)
    assert traces() == before


def test_a_call_that_comes_in_meanwhile_is_not_taken_from_who_calls(
    contact: Contact, agent: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(contact_data, "CALLS_AT_ONCE", 1)
    full_call(contact, agent)
    ringing: list[Call] = []

    def a_call_comes_in(*arguments: Any) -> None:
        ringing.append(make_call(contact=contact))

    monkeypatch.setattr(contact_data, "_delete_export_files", a_call_comes_in)
    with pytest.raises(StillBusy):
        erase(contact)
    ringing[0].refresh_from_db()
    assert ringing[0].contact.wxid == WXID  # as a reject has to name them


# Afterwards


@pytest.mark.django_db(transaction=True)
def test_whom_the_writer_remembers_calls_again_as_somebody_new(contact: Contact) -> None:
    async def run() -> list[Receipt]:
        writer = Writer()
        writer.start()
        try:
            known = incoming("1", contact=WXID, nickname=NICKNAME)
            first = await writer.submit(batch(contact.app, known, received_at=LONG_AGO))
            await asyncio.to_thread(_in_a_thread, contact)
            both = [batch(contact.app, incoming(voipid, contact=wxid)) for voipid, wxid in [("2", WXID), ("3", "788")]]
            return [first, *await asyncio.gather(*writer.submit_group(both))]
        finally:
            await writer.stop()

    receipts = asyncio.run(run())
    assert [len(receipt.stored) for receipt in receipts] == [1, 1, 1]
    who = dict(Call.objects.values_list("voipid", "contact__wxid"))
    assert who == {"1": f"erased-{contact.pk}", "2": WXID, "3": "788"}
    assert Contact.objects.get(wxid=WXID).nickname == ""


def _in_a_thread(contact: Contact) -> None:
    try:
        erase(contact)
    finally:
        connection.close()


@pytest.mark.django_db(transaction=True)
def test_no_call_is_lost_that_comes_in_while_its_contact_is_being_erased() -> None:
    app = make_app()
    erased: list[int] = []
    all_came = threading.Event()

    async def run() -> list[Receipt]:
        writer = Writer()
        writer.start()
        erasing = asyncio.create_task(asyncio.to_thread(_erase_again_and_again, erased, all_came))
        receipts: list[Receipt] = []
        try:
            async with asyncio.timeout(60):
                while len(receipts) < 150 or len(erased) < 3:
                    call = incoming(str(len(receipts)), contact=WXID, nickname=NICKNAME)
                    receipts.append(await writer.submit(batch(app, call, received_at=LONG_AGO)))
            return receipts
        finally:
            all_came.set()
            await writer.stop()
            await erasing

    receipts = asyncio.run(run())
    assert {len(receipt.stored) for receipt in receipts} == {1}
    assert Call.objects.filter(contact__app=app).count() == len(receipts)
    for contact in Contact.objects.filter(wxid=WXID):
        erase(contact)
    assert traces() == set()


def _erase_again_and_again(erased: list[int], until: threading.Event) -> None:
    try:
        while not until.is_set():
            for contact in Contact.objects.filter(wxid=WXID):
                pk = contact.pk
                erase(contact)
                erased.append(pk)
    finally:
        connection.close()


def test_a_running_server_takes_a_later_call_for_somebody_new(desk: Desk) -> None:
    wxid = f"788{desk.number:013}"
    first = desk.call(NICKNAME, chat_wxid=wxid)
    long_ago = "2026-01-01 00:00:00"
    desk.server.sql("UPDATE calls_call SET received_at = ?, rings_until = ? WHERE voipid = ?", long_ago, long_ago, first)
    desk.server.manage("contact", wxid, "--app", desk.app, "--erase", "--yes")
    second = desk.call(NICKNAME, chat_wxid=wxid)
    rows = desk.server.sql(
        "SELECT voipid, wxid LIKE 'erased-%', nickname FROM calls_call c JOIN calls_contact k ON k.id = contact_id"
        " WHERE voipid IN (?, ?) ORDER BY c.id", first, second,
    )  # fmt: skip
    assert rows == [(first, 1, ""), (second, 0, NICKNAME)]


@pytest.mark.django_db(transaction=True)
async def test_every_page_is_asked_for_a_fresh_board() -> None:
    layer = get_channel_layer()
    assert layer is not None
    channel = await layer.new_channel()
    await layer.group_add(publish.GROUP, channel)

    def erase_one() -> None:
        try:
            erase(make_contact(make_app()))
        finally:
            connections.close_all()

    await sync_to_async(erase_one)()
    async with asyncio.timeout(5):
        assert (await layer.receive(channel))["boards"] is True


# The command


def test_the_command_erases_once_it_is_confirmed(contact: Contact, agent: Person) -> None:
    full_call(contact, agent)
    _, beside = contact_command(WXID, "--erase", said="yes\n")
    assert "will be erased from 1 calls" in beside
    assert "Erased: calls 1, notices 1, notes 2, answers 1" in beside
    assert "Not reached: backups" in beside
    assert traces() == set()


@pytest.mark.parametrize("said", ["", "\n", "no\n", "y\n"])
def test_the_command_erases_nothing_unless_it_is_confirmed(contact: Contact, said: str) -> None:
    with pytest.raises(CommandError, match="Nothing was erased"):
        contact_command(WXID, "--erase", said=said)
    assert Contact.objects.get() == contact


def test_the_command_writes_out_first_and_erases_then(contact: Contact, agent: Person) -> None:
    full_call(contact, agent)
    printed, _ = contact_command(WXID, "--export", "-", "--erase", "--yes")
    assert json.loads(printed)["contact"]["nickname"] == NICKNAME
    assert traces() == set()


def test_the_command_says_why_it_does_not_erase_yet(contact: Contact) -> None:
    make_call(contact=contact)
    with pytest.raises(CommandError, match="is not over"):
        contact_command(WXID, "--erase", "--yes")


def test_the_command_asks_which_app_is_meant(contact: Contact) -> None:
    other = make_contact(make_app(name="other"), wxid=WXID)
    with pytest.raises(CommandError, match="Add --app NAME"):
        contact_command(WXID, "--erase", "--yes")
    contact_command(WXID, "--app", "other", "--erase", "--yes")
    assert list(Contact.objects.all()) == [contact]
    assert other not in Contact.objects.all()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["789", "--erase"], "No contact has the wxid 789."),
        ([WXID, "--app", "none", "--erase"], "No contact has the wxid .* at none"),
        ([WXID], "Say what to do"),
    ],
)
def test_the_command_refuses_what_it_cannot_do(contact: Contact, arguments: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        contact_command(*arguments)
    assert Contact.objects.get() == contact
