from __future__ import annotations

import asyncio
import io
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from asgiref.sync import async_to_sync
from django.conf import settings as django_settings
from django.db import connection
from django.db.models.expressions import RawSQL
from django.test import Client
from django.utils import timezone
from openpyxl import load_workbook
from pytest_django import DjangoAssertNumQueries, Settings

from calls.models import Account, Attempt, Call, Export, Person, Team
from dashboard.exports import making, streaming, tidying, xlsx_file
from dashboard.exports import rows as export_rows
from dashboard.exports.streaming import Streamed
from dashboard.pages import exports as page
from tests import tables
from tests.diskfull import room_for
from tests.waiting import eventually

from ..factory import make_account, make_attempt, make_call, make_calls, make_client, make_contact, make_person, make_team
from .reading import said, text_of, words_of

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("own_data_folder")]

Role, Outcome, Kind, Result = Person.Role, Call.Outcome, Call.Kind, Attempt.Result
FORMATS = ["csv", "xlsx"]
READ = {"csv": tables.in_csv, "xlsx": tables.in_workbook}


def reader(person: Person | None = None, language: str = "en", zone: str = "Asia/Shanghai") -> Client:
    client = make_client(person or make_person(password=None, role=Role.SUPERVISOR), language)
    client.cookies["timezone"] = zone
    return client


def taken(response: Any) -> bytes:
    """The whole body of a response that is streamed."""

    async def gather() -> bytes:
        return b"".join([part async for part in response])

    return async_to_sync(gather)()


def exported(client: Client, format: str, **query: Any) -> tables.Table:
    response = client.get(f"/history/export.{format}", query)
    assert response.status_code == 200
    return READ[format](taken(response))


def past_call(account: Account | None = None, minutes: float = 60, **fields: Any) -> Call:
    return make_call(account, timezone.now() - timedelta(minutes=minutes), **fields)


def all_sorts_of_calls(start: datetime) -> None:
    """One of each outcome and kind, with and without attempts, names and receipts; each 17 minutes after the one before."""
    team = make_team()
    account, person = make_account(name="小林", team=team), make_person(password=None, name="Ada")
    named, unnamed = make_contact(account.app, nickname='王 "秀", 英\nzweite'), make_contact(account.app)
    moments = (start + timedelta(minutes=17 * number, microseconds=987_654) for number in range(20))
    for outcome, at in zip(Outcome, moments, strict=False):
        call = make_call(account, at, outcome=outcome, contact=named, claimed_by=person, kind=Kind.VIDEO)
        make_attempt(call, person, result=Result.REFUSED, errcode="-1", started_at=at)
        if outcome == Outcome.REJECTED:
            make_attempt(call, person, started_at=at + timedelta(seconds=6), milliseconds=240)
    for outcome, at in zip([Outcome.MISSED, Outcome.RULE, Outcome.ENDED], moments, strict=False):
        make_call(make_account(), at, outcome=outcome, contact=unnamed, screens=0)
        make_call(account, at, outcome=outcome, contact=unnamed, screens=2)
    remarked = make_contact(account.app, nickname="Chen", remark="老陈")
    call = make_call(account, next(moments), outcome=Outcome.UNCONFIRMED, contact=remarked, claimed_by=person)
    make_attempt(call, person, result=Result.UNCONFIRMED, errcode="", milliseconds=None, answered_at=None)


def unquoted(table: tables.Table) -> tables.Table:
    """Without the marks that keep spreadsheets from calculating, and blanks made one, as on a page."""
    return [[" ".join(cell.removeprefix("'").split()) for cell in row] for row in table]


# As on the screen


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/New_York"])
@pytest.mark.parametrize("language", ["zh-hans", "en"])
@pytest.mark.parametrize("format", FORMATS)
def test_a_file_is_the_screen_cell_by_cell(format: str, language: str, zone: str) -> None:
    all_sorts_of_calls(timezone.now() - timedelta(hours=8))
    client = reader(None, language, zone)
    screen = tables.on_page(text_of(client.get("/history/")), zone)
    assert len(screen) == 14
    assert unquoted(exported(client, format)) == screen


@pytest.mark.parametrize("format", FORMATS)
def test_calls_that_are_not_over_say_what_happens_to_them(format: str) -> None:
    now = timezone.now()
    make_call()
    make_call(claimed_by=make_person(password=None), claimed_until=now + timedelta(minutes=1), outcome=Outcome.UNCONFIRMED)
    make_call(claimed_by=make_person(password=None), outcome=Outcome.UNCONFIRMED)
    make_call(outcome=Outcome.REJECTED)
    make_call(outcome=Outcome.ENDED, ended_at=now)
    client = reader()
    found = exported(client, format)
    assert unquoted(found) == tables.on_page(text_of(client.get("/history/")), "Asia/Shanghai")
    assert {row[4] for row in found[1:]} == {"Ringing", "Being rejected", "Unconfirmed", "Rejected", "Ended"}


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_has_all_rows_and_not_one_page(format: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_rows, "CHUNK", 50)
    moment = timezone.now() - timedelta(hours=1)
    calls = make_calls(120, received_at=moment, rings_until=moment)
    found = exported(reader(), format, after=f"{moment.isoformat()},{calls[5].pk}")
    assert [row[1] for row in found[1:]] == [f"User {call.contact.wxid}" for call in reversed(calls)]


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_has_what_the_filters_find(format: str) -> None:
    account = make_account(name="Ours")
    past_call(account, outcome=Outcome.REFUSED)
    past_call(account)
    past_call(outcome=Outcome.REFUSED)
    found = exported(reader(), format, account=account.pk, outcome="refused", q="our")
    assert [row[2:5] for row in found[1:]] == [["Ours", "Voice", "Refused by the vendor Nobody saw it"]]


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_of_nothing_has_a_header(format: str) -> None:
    found = exported(reader(), format)
    assert (len(found), found[0][0]) == (1, "Time (UTC+8)")


def test_the_latest_attempt_is_what_counts_whether_calls_lie_together_or_not() -> None:
    account, person = make_account(), make_person(password=None)
    far_apart = [past_call(account, minutes) for minutes in (30, 20, 10)]
    for call in far_apart:
        make_attempt(call, person, result=Result.REFUSED, errcode="1")
        make_attempt(call, person, result=Result.REFUSED, errcode=str(call.pk))
    make_calls(40, account, received_at=timezone.now() - timedelta(days=3))
    last = past_call(account, 1)
    found = export_rows._last_attempts([far_apart[0].pk, last.pk])
    assert {pk: attempt[2] for pk, attempt in found.items()} == {far_apart[0].pk: str(far_apart[0].pk)}


def test_a_call_that_comes_meanwhile_is_in_no_file() -> None:
    past_call()
    parts = making.at_once(make_export(make_person(password=None, role=Role.SUPERVISOR)))
    header = next(parts)
    past_call(minutes=90)  # it waited on disk while the database was away
    assert len(tables.in_csv(header + b"".join(parts))) == 2


# Zones


NIGHT = datetime(2026, 11, 1, 5, 0, tzinfo=UTC)  # 01:00 in New York, for the first time


def test_where_the_clock_is_put_back_every_time_says_its_offset() -> None:
    account = make_account()
    for hours in range(3):
        make_call(account, NIGHT + timedelta(hours=hours), rings_until=NIGHT)
    client = reader(zone="America/New_York")
    found = exported(client, "csv", **{"from": "2026-11-01", "to": "2026-11-01"})
    assert [row[0] for row in found] == [
        "Time (America/New_York)",
        "2026-11-01 02:00:00-05:00",
        "2026-11-01 01:00:00-05:00",
        "2026-11-01 01:00:00-04:00",
    ]


def test_in_a_workbook_the_offset_is_shown_and_the_cell_stays_a_date() -> None:
    account = make_account()
    for hours in range(2):
        make_call(account, NIGHT + timedelta(hours=hours), rings_until=NIGHT)
    body = taken(reader(zone="America/New_York").get("/history/export.xlsx"))
    cells = [row[0] for row in load_workbook(io.BytesIO(body)).worksheets[0].iter_rows(min_row=2)]
    assert [(cell.value, cell.number_format) for cell in cells] == [
        (datetime(2026, 11, 1, 1), 'yyyy-mm-dd hh:mm:ss"-05:00"'),
        (datetime(2026, 11, 1, 1), 'yyyy-mm-dd hh:mm:ss"-04:00"'),
    ]


def test_the_header_names_the_offset_of_the_rows_and_not_of_today() -> None:
    account = make_account()
    for month in (1, 7):
        moment = datetime(2026, month, 1, 12, tzinfo=UTC)
        make_call(account, moment, rings_until=moment)
    client = reader(zone="America/New_York")
    headers = [exported(client, "csv", **{"from": f"2026-0{month}-01", "to": f"2026-0{month}-01"})[0][0] for month in (1, 7)]
    assert headers == ["Time (UTC-5)", "Time (UTC-4)"]


@pytest.mark.parametrize("zone", ["Asia/Shanghai", "America/Los_Angeles", "Asia/Kolkata"])
def test_times_are_the_readers_to_the_second_with_the_year(zone: str) -> None:
    call = past_call()
    [_, row] = exported(reader(zone=zone), "csv")
    assert row[0] == call.received_at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M:%S")


def test_the_end_date_includes_its_own_day() -> None:
    account = make_account()
    for minute in (15 * 60 + 59, 16 * 60):  # 23:59, and midnight of the next day in Shanghai
        make_call(account, datetime(2026, 3, 8, tzinfo=UTC) + timedelta(minutes=minute))
    found = exported(reader(), "csv", **{"from": "2026-03-08", "to": "2026-03-08"})
    assert [row[0] for row in found[1:]] == ["2026-03-08 23:59:00"]


# The formats


def test_csv_begins_with_a_byte_order_mark_and_its_lines_end_as_the_standard_says() -> None:
    past_call()
    response = reader().get("/history/export.csv")
    body = taken(response)
    assert body.startswith(b"\xef\xbb\xbf")
    assert body.count(b"\r\n") == body.count(b"\n") == 2
    assert response["Content-Type"] == "text/csv; charset=utf-8"
    assert response["Content-Disposition"].startswith('attachment; filename="ringdesk-')


FORMULAS = [
    "=1+1",
    "+1",
    "-1",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "  =1",
    "＝1+1",
    "＋1",
    "－1",
    "＠SUM(A1)",
    '=HYPERLINK("x")',
]


@pytest.mark.parametrize("text", FORMULAS)
def test_no_text_of_strangers_is_a_formula_in_csv(text: str) -> None:
    account = make_account(name=text)
    person = make_person(password=None, name=text)
    call = past_call(account, contact=make_contact(account.app, nickname=text), claimed_by=person)
    make_attempt(call, person, result=Result.REFUSED, errcode=text)
    [_, row] = exported(reader(), "csv")
    assert [row[column][:2] for column in (1, 2, 5, 8)] == [f"'{text[0]}"] * 4


@pytest.mark.parametrize(
    "text", [*FORMULAS, "http://localhost/", "<r>a</r>", "_x0041_", "TRUE", "0012", "{=1}", "\u202eabc"]
)
def test_texts_are_texts_in_a_workbook(text: str) -> None:
    account = make_account()
    past_call(account, contact=make_contact(account.app, nickname=text))
    body = taken(reader().get("/history/export.xlsx"))
    cell = load_workbook(io.BytesIO(body)).worksheets[0]["B2"]
    assert cell.data_type in {"s", "inlineStr"}
    assert cell.hyperlink is None
    assert cell.value.strip().replace("_x005F_", "_").removeprefix("_x000D_") == text.strip()


def test_numbers_that_ringdesk_wrote_are_numbers() -> None:
    call, person = past_call(outcome=Outcome.REJECTED), make_person(password=None)
    make_attempt(call, person, started_at=call.received_at + timedelta(seconds=6), milliseconds=240)
    body = taken(reader().get("/history/export.xlsx"))
    row = load_workbook(io.BytesIO(body)).worksheets[0][2]
    assert (row[7].value, isinstance(row[0].value, datetime)) == (6.2, True)
    assert tables.in_csv(taken(reader().get("/history/export.csv")))[1][7] == "6.2"


@pytest.mark.parametrize("format", FORMATS)
def test_characters_that_no_file_can_hold_are_replaced(format: str) -> None:
    account = make_account()
    past_call(account, contact=make_contact(account.app, nickname="a\x01b\x07c\uffff"))
    assert exported(reader(), format)[1][1] == "a\ufffdb\ufffdc\ufffd"


def test_a_workbook_begins_a_new_sheet_where_one_is_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(xlsx_file, "ROWS_OF_A_SHEET", 11)
    make_calls(25, received_at=timezone.now() - timedelta(hours=1))
    book = load_workbook(io.BytesIO(taken(reader().get("/history/export.xlsx"))))
    assert [(sheet.title, sheet.max_row, sheet.freeze_panes) for sheet in book.worksheets] == [
        ("Calls", 11, "A2"),
        ("Calls 2", 11, "A2"),
        ("Calls 3", 6, "A2"),
    ]


@pytest.mark.parametrize("format", FORMATS)
def test_notes_are_in_no_file(format: str) -> None:
    call = past_call()
    call.notes.create(person=make_person(password=None), text="secret " * 9000, written_at=timezone.now())
    assert "secret" not in str(exported(reader(), format))


# Refusals


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("query", [{"outcome": "lost"}, {"from": "yesterday"}, {"account": "0"}, {"hour": "5"}, {"q": "\0"}])
def test_a_filter_that_makes_no_sense_exports_nothing_and_says_why(query: dict[str, str], format: str) -> None:
    past_call()
    refused = reader().get(f"/history/export.{format}", query)
    assert (refused.status_code, bool(said(refused))) == (400, True)
    assert not Export.objects.exists()


@pytest.mark.parametrize("format", FORMATS)
def test_files_are_only_got(format: str) -> None:
    assert reader().post(f"/history/export.{format}").status_code == 405


@pytest.mark.parametrize(
    "path", ["/history/export.csv", "/history/export.xlsx", "/exports/", "/exports/1/", "/exports/1/file"]
)
def test_a_sign_in_is_asked_for(path: str) -> None:
    assert make_client().get(path)["Location"].startswith("/login/")


@pytest.mark.parametrize("path", ["/exports/", "/exports/1/cancel/"])
def test_forms_need_their_token(path: str) -> None:
    client = make_client(make_person(password=None), enforce_csrf_checks=True)
    assert client.post(path, {"format": "csv"}).status_code == 403


@pytest.mark.parametrize("path", ["/exports/1/cancel/"])
def test_what_changes_something_is_only_posted(path: str) -> None:
    assert reader().get(path).status_code == 405


def test_there_are_two_formats() -> None:
    assert reader().post("/exports/", {"format": "pdf", "query": ""}).status_code == 404


# Who gets what


@pytest.fixture
def two_teams() -> tuple[Team, Team]:
    """A call each, from contacts with the same name."""
    teams = make_team(), make_team()
    for team in (*teams, None):
        account = make_account(team=team, name=f"of {team}")
        past_call(account, contact=make_contact(account.app, nickname="Zoe"))
    return teams


@pytest.mark.parametrize("query", [{}, {"q": "zoe"}, {"q": "of team"}, {"kind": "2"}, {"period": "7d"}], ids=str)
@pytest.mark.parametrize("format", FORMATS)
def test_an_agents_file_has_no_row_of_another_team(format: str, query: dict[str, str], two_teams: tuple[Team, Team]) -> None:
    client = reader(make_person(two_teams[0], password=None))
    assert [row[2] for row in exported(client, format, **query)[1:]] == [f"of {two_teams[0]}"]


@pytest.mark.parametrize("format", FORMATS)
def test_an_agents_file_of_the_background_has_no_row_of_another_team(
    format: str, two_teams: tuple[Team, Team], in_background: None
) -> None:
    client = reader(make_person(two_teams[0], password=None))
    assert [row[2] for row in fetched(client, ask(client, format, q="zoe"))[1:]] == [f"of {two_teams[0]}"]


@pytest.mark.parametrize("name", ["team", "account"])
def test_an_agent_cant_export_by_another_teams_filter(name: str, two_teams: tuple[Team, Team]) -> None:
    other = two_teams[1]
    value = other.pk if name == "team" else other.accounts.get().pk
    client = reader(make_person(two_teams[0], password=None))
    assert client.get("/history/export.csv", {name: value}).status_code == 400


# In the background


@pytest.fixture
def in_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything is too much to go out at once."""
    monkeypatch.setattr(page, "AT_ONCE", -1)


def ask(client: Client, format: str = "csv", **query: Any) -> Export:
    """Ask for an export, and wait until it is over."""
    answer = client.post("/exports/", {"format": format, "query": "&".join(f"{name}={query[name]}" for name in query)})
    assert answer["Location"] == "/exports/"
    export = Export.objects.get(pk=Export.objects.latest("pk").pk)
    eventually(lambda: not Export.objects.filter(pk=export.pk, state="running").exists())
    export.refresh_from_db()
    return export


def fetched(client: Client, export: Export) -> tables.Table:
    response = client.get(f"/exports/{export.pk}/file")
    assert response.status_code == 200
    body = taken(response)
    assert len(body) == int(response["Content-Length"])
    return READ[export.format](body)


def folder() -> list[Path]:
    return sorted((django_settings.EXPORT_DIR).iterdir())


def test_a_few_calls_are_downloaded_at_once() -> None:
    past_call()
    answer = reader().post("/exports/", {"format": "xlsx", "query": "kind=2&after=x&foo=1"})
    assert answer["Location"] == "/history/export.xlsx?kind=2"
    assert not Export.objects.exists()


def test_a_filter_that_makes_no_sense_leads_back_to_history_which_says_why() -> None:
    client = reader()
    answer = client.post("/exports/", {"format": "csv", "query": "kind=9"})
    assert answer["Location"] == "/history/?kind=9"
    assert len(said(client.get(answer["Location"]))) == 1


@pytest.mark.usefixtures("in_background")
@pytest.mark.parametrize("format", FORMATS)
def test_a_long_export_is_made_and_fetched_later(format: str) -> None:
    all_sorts_of_calls(timezone.now() - timedelta(hours=8))
    client = reader()
    export = ask(client, format)
    assert (export.state, export.rows, export.rows_in_all) == ("done", 13, 13)
    assert unquoted(fetched(client, export)) == tables.on_page(text_of(client.get("/history/")), "Asia/Shanghai")
    assert [(path.name, path.stat().st_mode & 0o777) for path in folder()] == [(export.file, 0o600)]
    assert len(export.file) > 30


@pytest.mark.usefixtures("in_background")
def test_a_file_is_in_the_language_and_the_zone_of_whoever_asked() -> None:
    past_call()
    client = reader(None, "zh-hans", "Asia/Kolkata")
    assert fetched(client, ask(client))[0][0] == "时间 (UTC+5:30)"


@pytest.mark.usefixtures("in_background")
def test_days_that_move_with_the_calendar_are_put_on_record_as_dates() -> None:
    past_call()
    export = ask(reader(), period="yesterday", kind=2)
    day = timezone.localdate() - timedelta(days=1)
    assert export.query == f"kind=2&from={day}&to={day}"


@pytest.mark.usefixtures("in_background")
def test_the_same_export_is_not_made_twice_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    client, person = reader(), make_person(password=None, role=Role.SUPERVISOR)
    client.force_login(person)
    running = make_export(person, file="x.csv", zone="Asia/Shanghai", language="en")
    client.post("/exports/", {"format": "csv", "query": ""})
    assert list(Export.objects.all()) == [running]


@pytest.mark.usefixtures("in_background")
def test_nobody_has_more_than_a_few_running() -> None:
    person = make_person(password=None, role=Role.SUPERVISOR)
    for number in range(page.RUNNING_AT_MOST):
        make_export(person, file=f"{number}.csv")
    answer = reader(person).post("/exports/", {"format": "csv", "query": "kind=1"}, follow=True)
    assert said(answer) == ["Several exports of yours are running. Wait for one, or cancel one."]
    assert Export.objects.count() == page.RUNNING_AT_MOST


def make_export(person: Person, **fields: Any) -> Export:
    now = timezone.now()
    defaults = {"format": "csv", "language": "en", "zone": "Asia/Shanghai", "requested_at": now, "alive_at": now}
    return Export.objects.create(person=person, **defaults | fields)


def done(person: Person, accounts: list[int] | None = None, **fields: Any) -> Export:
    """One whose file is there."""
    defaults = {"state": "done", "file": "whole.csv", "rows_in_all": 1, "finished_at": timezone.now()}
    export = make_export(person, accounts=accounts or [], **defaults | fields)
    path = django_settings.EXPORT_DIR / export.file
    path.parent.mkdir(exist_ok=True)
    path.write_text("a file")
    return export


@pytest.mark.parametrize(
    ("who", "status"),
    [("owner", 200), ("colleague", 404), ("supervisor", 404), ("admin", 200)],
)
def test_a_file_is_for_whoever_asked_for_it_and_for_admins(who: str, status: int) -> None:
    team = make_team()
    owner = make_person(team, password=None)
    people = {
        "owner": owner,
        "colleague": make_person(team, password=None),
        "supervisor": make_person(password=None, role=Role.SUPERVISOR),
        "admin": make_person(password=None, role=Role.ADMIN),
    }
    export = done(owner, [make_account(team=team).pk])
    assert reader(people[who]).get(f"/exports/{export.pk}/file").status_code == status


def test_a_file_is_not_given_out_once_its_owner_no_longer_sees_a_call_in_it() -> None:
    teams = make_team(), make_team()
    person = make_person(*teams, password=None)
    export = done(person, [make_account(team=team).pk for team in teams])
    client = reader(person)
    assert client.get(f"/exports/{export.pk}/file").status_code == 200
    person.teams.remove(teams[1])
    assert client.get(f"/exports/{export.pk}/file").status_code == 404
    assert "It holds calls of accounts that you no longer see." in words_of(client.get("/exports/"))


def test_a_file_is_not_given_out_once_an_account_in_it_went_to_another_team() -> None:
    team = make_team()
    person, account = make_person(team, password=None), make_account(team=team)
    export = done(person, [account.pk])
    Account.objects.update(team=make_team())
    assert reader(person).get(f"/exports/{export.pk}/file").status_code == 404


@pytest.mark.usefixtures("in_background")
def test_the_record_knows_whose_calls_are_in_the_file() -> None:
    accounts = [past_call().account_id for _ in range(3)]
    assert ask(reader()).accounts == accounts


@pytest.mark.parametrize("state", ["running", "failed", "cancelled"])
def test_only_a_whole_file_is_given_out(state: str) -> None:
    person = make_person(password=None)
    export = done(person, state=state)
    assert reader(person).get(f"/exports/{export.pk}/file").status_code == 404


def test_a_file_that_is_not_on_this_host_is_said_not_to_be() -> None:
    person = make_person(password=None)
    export = done(person)
    (django_settings.EXPORT_DIR / export.file).unlink()
    answer = reader(person).get(f"/exports/{export.pk}/file")
    assert answer.status_code == 404
    assert "It was deleted, or it is on another server." in words_of(answer)


# On record


@pytest.mark.parametrize("format", FORMATS)
def test_a_download_is_on_record(format: str) -> None:
    person = make_person(password=None, role=Role.SUPERVISOR)
    past_call()
    exported(reader(person), format, kind=2)
    export = Export.objects.get()
    assert (export.person, export.format, export.query, export.state) == (person, format, "kind=2", "done")
    assert (export.rows, export.file, export.finished_at is not None) == (1, "", True)


def test_a_download_that_waits_for_its_turn_is_not_given_up_for_lost() -> None:
    past_call()
    response = reader().get("/history/export.csv")
    Export.objects.update(alive_at=timezone.now() - timedelta(seconds=11))
    eventually(lambda: not Export.objects.filter(alive_at__lt=timezone.now() - timedelta(seconds=10)).exists())
    tidying.tidy_exports()
    assert len(tables.in_csv(taken(response))) == 2
    assert Export.objects.get().state == "done"


def test_a_client_that_goes_away_before_its_turn_ends_the_export() -> None:
    export = make_export(make_person(password=None, role=Role.SUPERVISOR))
    Streamed(making.at_once(export)).close()
    export.refresh_from_db()
    assert (export.state, folder()) == ("cancelled", [])


def test_a_client_that_goes_away_ends_the_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_rows, "CHUNK", 10)
    monkeypatch.setattr(streaming, "AT_ONCE", 2)
    make_calls(100, received_at=timezone.now() - timedelta(hours=1))
    export = make_export(make_person(password=None, role=Role.SUPERVISOR))
    body = Streamed(making.at_once(export))

    async def take_some() -> None:
        for _ in range(2):  # the header, and three chunks
            await anext(body)

    asyncio.run(take_some())
    body.close()
    export.refresh_from_db()
    assert (export.state, export.rows) == ("cancelled", 30)


def test_people_see_their_own_exports_and_supervisors_everybodys() -> None:
    ada, bob = make_person(password=None, name="Ada"), make_person(password=None, name="Bob")
    exports = [make_export(person) for person in (ada, bob)]

    def seen(person: Person) -> list[bool]:
        client = reader(person)
        text = text_of(client.get("/exports/"))
        both = [f'id="export-{export.pk}"' in text for export in exports]
        assert [client.get(f"/exports/{export.pk}/").status_code == 200 for export in exports] == both
        return both

    assert seen(ada) == [True, False]
    assert seen(make_person(password=None, role=Role.SUPERVISOR)) == [True, True]


def test_the_list_goes_on_page_after_page() -> None:
    person = make_person(password=None)
    exports = [make_export(person) for _ in range(page.ROWS + 1)]
    first = text_of(reader(person).get("/exports/"))
    assert f'href="?before={exports[1].pk}"' in first
    second = text_of(reader(person).get("/exports/", {"before": exports[1].pk}))
    assert [f'id="export-{export.pk}"' in second for export in exports[:2]] == [True, False]


def test_a_row_of_an_agents_list_takes_two_queries(django_assert_max_num_queries: DjangoAssertNumQueries) -> None:
    """One for the name of an account that was filtered by, one for whether its reader still sees what is in it."""
    team = make_team()
    account, person = make_account(team=team), make_person(team, password=None)
    for number in range(page.ROWS):
        make_export(person, state="done", query=f"account={account.pk}", file=f"{number}.csv", accounts=[account.pk])
    client = reader(person)
    with django_assert_max_num_queries(2 * page.ROWS + 4):
        assert text_of(client.get("/exports/")).count("Download</a>") == page.ROWS


def test_the_list_says_by_what_was_filtered_and_links_to_it() -> None:
    account = make_account(name="小林")
    person = make_person(password=None, role=Role.SUPERVISOR, username="ada", name="Ada")
    query = f"q=wang&from=2026-03-01&outcome=refused&kind=1&account={account.pk}&team=none&agent=ada&unseen=true&hour=x"
    make_export(person, query=query)
    listed = reader(person).get("/exports/")
    words = "From: 2026-03-01 · Search: wang · Outcome: Refused by the vendor · Kind: Video · Account: 小林 · Team: No team"
    assert words in words_of(listed).replace(" :", ":")
    assert "Person: Ada · Nobody saw it · Hour: x" in words_of(listed)
    assert f'href="/history/?{query.replace("&", "&amp;")}"' in text_of(listed)


def test_the_list_names_weekdays_and_hours() -> None:
    person = make_person(password=None, role=Role.SUPERVISOR)
    make_export(person, query="from=2026-03-01&to=2026-03-31&weekday=1&hour=9")
    assert "Weekday: Monday · Hour: 9:00–10:00" in words_of(reader(person).get("/exports/")).replace(" :", ":")


def test_nothing_of_an_address_is_taken_for_html() -> None:
    person = make_person(password=None)
    make_export(person, query="q=<script>alert(1)</script>&account=<img src=x>")
    listed = text_of(reader(person).get("/exports/"))
    assert "<script>alert" not in listed
    assert "<img" not in listed


def test_an_agents_list_names_no_account_that_they_dont_see() -> None:
    account = make_account(name="Theirs", team=make_team())
    person = make_person(make_team(), password=None)
    make_export(person, query=f"account={account.pk}")
    assert "Theirs" not in words_of(reader(person).get("/exports/"))


# Cancelled, failed, lost, old


@pytest.mark.parametrize(("who", "status"), [("owner", 302), ("admin", 302), ("supervisor", 404), ("colleague", 404)])
def test_an_export_is_cancelled_by_its_owner_or_an_admin(who: str, status: int) -> None:
    owner = make_person(password=None)
    people = {
        "owner": owner,
        "colleague": make_person(password=None),
        "supervisor": make_person(password=None, role=Role.SUPERVISOR),
        "admin": make_person(password=None, role=Role.ADMIN),
    }
    export = make_export(owner)
    assert reader(people[who]).post(f"/exports/{export.pk}/cancel/").status_code == status
    export.refresh_from_db()
    assert export.state == ("cancelled" if status == 302 else "running")


def test_what_is_over_cant_be_cancelled() -> None:
    export = done(make_person(password=None))
    reader(export.person).post(f"/exports/{export.pk}/cancel/")
    export.refresh_from_db()
    assert (export.state, export.file) == ("done", "whole.csv")


@pytest.fixture
def held_up(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Exports wait for a slot, as if others were being made."""
    slots = threading.Semaphore(0)
    monkeypatch.setattr(making, "_slots", slots)
    yield
    slots.release(10)
    eventually(lambda: not any(thread.name.startswith("export-") for thread in threading.enumerate()))


@pytest.mark.usefixtures("in_background", "held_up")
def test_an_export_that_is_cancelled_while_it_waits_leaves_no_file() -> None:
    past_call()
    client = reader()
    client.post("/exports/", {"format": "csv", "query": ""})
    export = Export.objects.get()
    assert "Cancel" in words_of(client.get(f"/exports/{export.pk}/"))
    client.post(f"/exports/{export.pk}/cancel/")
    row = client.get(f"/exports/{export.pk}/")
    assert ("Cancelled" in words_of(row), "hx-get" in text_of(row)) == (True, False)


@pytest.mark.usefixtures("in_background")
@pytest.mark.parametrize("format", FORMATS)
def test_a_full_disk_fails_the_export_and_leaves_no_file(format: str) -> None:
    account = make_account()
    contact = make_contact(account.app, nickname="秀" * 200)
    make_calls(1000, account, contact=contact, received_at=timezone.now() - timedelta(hours=1))
    client = reader()
    if connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")  # so that it can still write, near its log's beginning
    with room_for(200_000):
        export = ask(client, format)
    assert (export.state, export.failure, folder()) == ("failed", "disk", [])
    assert "Failed the disk is full, or can't be written to" in words_of(client.get("/exports/"))
    assert client.get(f"/exports/{export.pk}/file").status_code == 404


@pytest.mark.usefixtures("in_background")
def test_an_exports_folder_that_cant_be_made_fails_the_export(own_data_folder: Path) -> None:
    past_call()
    (own_data_folder / "exports").write_text("in the way")
    export = ask(reader())
    assert (export.state, export.failure) == ("failed", "disk")


@pytest.mark.usefixtures("in_background")
def test_a_database_that_goes_away_fails_the_export(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_rows, "FIELDS", [*export_rows.FIELDS[:-1], RawSQL("no_such_column", [])])
    past_call()
    export = ask(reader())
    assert (export.state, export.failure, folder()) == ("failed", "database", [])


def test_an_export_that_was_lost_with_its_process_is_said_to_have_failed() -> None:
    person = make_person(password=None)
    export = done(person, state="running", alive_at=timezone.now() - timedelta(seconds=11), finished_at=None)
    (django_settings.EXPORT_DIR / f"{export.pk}.part").mkdir()
    alive = make_export(person)
    while tidying.tidy_exports():
        pass
    export.refresh_from_db()
    alive.refresh_from_db()
    assert (export.state, export.failure, folder()) == ("failed", "interrupted", [])
    assert alive.state == "running"
    words = words_of(reader(person).get(f"/exports/{export.pk}/"))
    assert "Failed the server stopped, or lost it Start again" in words


def test_what_was_cancelled_after_its_process_died_leaves_nothing_and_others_keep_their_files() -> None:
    person, before = make_person(password=None), timezone.now() - timedelta(seconds=11)
    whole = done(person, finished_at=before)
    cancelled = make_export(person, state="cancelled", finished_at=before)
    running = make_export(person)
    for export in (whole, cancelled, running):
        (django_settings.EXPORT_DIR / f"{export.pk}.part").mkdir()
    tidying.tidy_folder()
    assert {path.name for path in folder()} == {whole.file, f"{running.pk}.part"}


def test_files_that_no_export_has_any_more_are_removed_on_whichever_host_they_are() -> None:
    """As when another host, which keeps house, has found them too old, or erased a contact."""
    person = make_person(password=None)
    kept, stray = done(person, file="kept.csv"), done(person, file="stray.csv")
    Export.objects.filter(pk=stray.pk).update(file="")
    tidying.tidy_folder()
    assert [path.name for path in folder()] == [kept.file]


def test_files_are_removed_when_they_are_old_and_the_record_stays(settings: Settings) -> None:
    settings.EXPORT_DAYS = 3
    person = make_person(password=None)
    old = done(person, finished_at=timezone.now() - timedelta(days=3, seconds=1), file="old.csv")
    young = done(person, finished_at=timezone.now() - timedelta(days=2, hours=23), file="young.csv")
    while tidying.tidy_exports():
        pass
    assert [path.name for path in folder()] == [young.file]
    old.refresh_from_db()
    assert (old.state, old.file) == ("done", "")
    assert "The file is no longer kept." in words_of(reader(person).get(f"/exports/{old.pk}/"))
