from __future__ import annotations

import html
import re
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone, translation
from django.utils.text import capfirst
from pytest_django import DjangoAssertNumQueries, Settings

from calls.models import AnswerTime, Call, Callback, Person, UnreadBody, VendorApp
from calls.models.traffic import slot_of
from calls.replay import Tally
from calls.vendor import envelope
from calls.vendor.sandbox import call_notice
from dashboard.pages.callbacks import KEPT_SHOWN, ROWS, in_words

from ..databases import locked_database
from ..factory import AES_KEY, make_app, make_client, make_person
from ..threads import at_once
from .reading import HARMLESS, HOSTILE, older, said, text_of, words_of

pytestmark = pytest.mark.django_db

Role, Result = Person.Role, Callback.Result
HTMX = {"HX-Request": "true"}


def supervisor(role: Person.Role = Role.SUPERVISOR) -> Client:
    return make_client(make_person(password=None, role=role))


def log(client: Client | None = None, **query: Any) -> Any:
    return (client or supervisor()).get("/callbacks/", query)


def logged(app: VendorApp | None = None, **fields: Any) -> Callback:
    return Callback.objects.create(**{"app": app, "received_at": timezone.now(), "result": Result.READ} | fields)


def rows(response: HttpResponse) -> list[int]:
    """The ids of the rows of the log, in the order shown."""
    return [int(pk) for pk in re.findall(r'<tr data-callback="(\d+)"', text_of(response))]


def row_words(response: HttpResponse) -> list[str]:
    """What each row of the log says."""
    found = re.findall(r"<tr data-callback=.*?</tr>", text_of(response), re.DOTALL)
    return [" ".join(html.unescape(re.sub(r"<[^>]*>", " ", row)).split()) for row in found]


def kept(app: VendorApp, content: bytes = b"?", reason: str = "no account", **fields: Any) -> UnreadBody:
    return UnreadBody.objects.keep(app.pk, fields.pop("received_at", timezone.now()), content, reason, **fields)


def sealed(*notices: Any) -> bytes:
    return envelope.seal([*notices], envelope.key_bytes(AES_KEY))


# The log


def test_callbacks_are_listed_newest_first() -> None:
    callbacks = [logged() for _ in range(3)]
    assert rows(log()) == [callback.pk for callback in reversed(callbacks)]


def test_a_row_says_where_it_came_from_and_what_was_in_it() -> None:
    logged(make_app(name="Main"), address="203.0.113.7", calls=2, duplicates=1, ends=3, chats=14, others=5, milliseconds=38)
    [words] = row_words(log())
    assert words.endswith("Main 203.0.113.7 Read 2 1 3 14 5 38")


def test_what_there_was_none_of_stays_empty() -> None:
    logged(make_app(name="Main"), address="203.0.113.7", chats=1)
    assert row_words(log())[0].endswith("203.0.113.7 Read 1")


def test_gathered_callbacks_say_how_many_they_are() -> None:
    logged(callbacks=37, result=Result.UNKNOWN)
    assert "37 callbacks in this minute" in row_words(log())[0]


def test_one_that_waited_for_the_database_says_so() -> None:
    logged(spooled=True)
    assert "waited for the database" in row_words(log())[0]


def test_a_replayed_one_says_by_whom() -> None:
    logged(result=Result.REPLAYED, replayed_at=timezone.now(), replayed_by=make_person(password=None, name="Ada"))
    assert "Replayed replayed by Ada ," in row_words(log())[0]


@pytest.mark.parametrize("result", Result)
def test_every_result_is_said_in_words(result: Callback.Result) -> None:
    logged(result=result)
    with translation.override("en"):
        assert capfirst(str(result.label)) in row_words(log())[0]


def test_without_any_callback_the_page_says_so() -> None:
    assert "No callback has come yet." in words_of(log())


def test_htmx_is_answered_with_the_log_alone() -> None:
    callback = logged()
    answer = supervisor().get("/callbacks/", headers=HTMX)
    assert rows(answer) == [callback.pk]
    assert text_of(answer).strip().startswith('<section id="log"')
    assert "HX-Request" in answer.headers["Vary"]


def test_the_log_has_its_place_in_the_navigation_of_supervisors_alone() -> None:
    assert 'href="/callbacks/"' in text_of(supervisor().get("/history/"))
    assert 'href="/callbacks/"' not in text_of(make_client(make_person(password=None)).get("/history/"))


def test_the_log_is_only_read() -> None:
    assert supervisor().post("/callbacks/").status_code == 405


# Filters and pages


def test_callbacks_are_filtered_by_app_and_result() -> None:
    app = make_app()
    callback = logged(app, result=Result.UNREADABLE)
    logged(app)
    logged(make_app(), result=Result.UNREADABLE)
    assert rows(log(app=app.pk, result="unreadable")) == [callback.pk]


@pytest.mark.parametrize("query", [{"app": "0"}, {"app": "x"}, {"app": "9" * 40}, {"result": "lost"}, {"result": HOSTILE}])
def test_a_filter_that_makes_no_sense_shows_nothing_and_says_so(query: dict[str, str]) -> None:
    logged()
    page = log(**query)
    assert (page.status_code, rows(page), len(said(page))) == (200, [], 1)
    assert "<script>alert" not in text_of(page)


def test_a_filter_that_nothing_fits_says_so_and_can_be_cleared() -> None:
    logged()
    words = words_of(log(result="replayed"))
    assert ("No callback fits these filters." in words, "Clear all filters" in words) == (True, True)


def test_pages_have_every_callback_once() -> None:
    app = make_app()
    moment = timezone.now()
    made = Callback.objects.bulk_create(
        Callback(app=app, received_at=moment, result=Result.READ) for _ in range(2 * ROWS + 1)
    )
    logged(make_app())
    client, pages = supervisor(), []
    following: str | None = f"?app={app.pk}"
    while following is not None:
        page = client.get(f"/callbacks/{following}")
        pages.append(rows(page))
        following = older(page)
    assert [len(page) for page in pages] == [ROWS, ROWS, 1]
    assert sorted(pk for page in pages for pk in page) == sorted(callback.pk for callback in made)


@pytest.mark.parametrize("after", ["x", "-1", "²", "", "9" * 40, "1.5", "\0"])
def test_a_place_that_makes_no_sense_begins_at_the_newest(after: str) -> None:
    callback = logged()
    assert rows(log(after=after)) == [callback.pk]


# What is kept


def test_what_could_not_be_read_is_listed_with_its_reason() -> None:
    app = make_app(name="Main")
    kept(app, b"x" * 2048, "the body can't be decrypted with this encoding_aes_key")
    words = words_of(log())
    assert "the body can't be decrypted with this encoding_aes_key" in words
    assert "Main 2.0 KB the whole body" in words.replace("\xa0", " ")


def test_the_mapping_helper_is_offered_to_admins_with_the_notice() -> None:
    body = kept(make_app(), b"[]", opened=True)
    link = f'href="/mapping/{body.app_id}/?notice=kept-{body.pk}"'
    assert [link in text_of(log(supervisor(role))) for role in (Role.ADMIN, Role.SUPERVISOR)] == [True, False]


def test_the_mapping_helper_is_not_offered_for_a_body_that_could_not_be_opened() -> None:
    kept(make_app(), b"[]")
    assert "/mapping/" not in text_of(log(supervisor(Role.ADMIN)))


def test_of_much_that_is_kept_the_newest_is_shown() -> None:
    app = make_app()
    for number in range(KEPT_SHOWN + 1):
        kept(app, str(number).encode())
    page = text_of(log())
    assert page.count("/replay/") == KEPT_SHOWN + 1  # and the button for all
    assert "Older ones are kept too." in page


def test_while_nothing_is_kept_there_is_nothing_to_replay() -> None:
    assert "/replay/" not in text_of(log())


# The budget


def test_the_budget_of_each_app_is_shown() -> None:
    app = make_app(name="Main")
    app.answer_times.create(slot=timezone.now(), within=32767, callbacks=137)
    words = words_of(log())
    assert "Main Getting tight 137 of the vendor's 1,000 late answers a day" in words
    assert '<meter min="0" max="1000" low="100" high="500" optimum="0" value="137"' in text_of(log())


def test_an_app_that_refuses_callbacks_is_not_well_and_says_how_many() -> None:
    app = make_app(name="Main")
    for result, callbacks in (("not_admitted", 5), ("too_large", 2)):
        Callback.objects.create(app=app, received_at=timezone.now(), result=result, callbacks=callbacks)
    words = words_of(log())
    assert "Main Refuses callbacks 0 of the vendor's" in words
    assert "Refused: sender not allowed · too large 5 · 2" in words


def test_a_silent_app_is_not_said_to_be_well() -> None:
    app = make_app(name="Main")
    last = slot_of(timezone.now() - timedelta(hours=3), AnswerTime.SLOT)
    slots = [last - number * AnswerTime.SLOT for number in range(28 * 288)]
    AnswerTime.objects.bulk_create(AnswerTime(app=app, slot=slot, within=5, callbacks=1) for slot in slots)
    words = words_of(log())
    assert "Main Silent 0 of the vendor's" in words
    assert "Nothing since" in words
    assert "All well" not in words


# Replays


def test_a_replay_says_what_came_of_it_and_leads_back() -> None:
    app = make_app()
    body = kept(app, sealed(call_notice("168", "788", 5)))
    answer = supervisor().post(f"/unread/{body.pk}/replay/", follow=True)
    assert answer.redirect_chain == [("/callbacks/", 302)]
    assert said(answer) == ["1 read: 1 call"]
    assert Call.objects.get().status == "missed"


def test_replaying_all_says_what_came_of_it() -> None:
    app = make_app()
    kept(app, sealed(call_notice("168", "788", 5), call_notice("168", "788", 6)))
    kept(app, sealed(call_notice("168", "788", 5)) + b"\n")
    kept(app, b"no callback at all")
    assert said(supervisor().post("/unread/replay/", follow=True)) == [
        "2 read: 2 calls, 1 pushed before; 1 still unreadable"
    ]


def test_of_one_app_alone_where_it_is_named() -> None:
    apps = [make_app(), make_app()]
    for app in apps:
        kept(app, sealed(call_notice("168", "788", 5)))
    supervisor().post("/unread/replay/", {"app": apps[0].pk})
    assert [body.app for body in UnreadBody.objects.all()] == [apps[1]]


@pytest.mark.parametrize("app", ["0", "x", "9" * 40, "-1"])
def test_an_app_that_is_none_has_nothing_replayed(app: str) -> None:
    kept(make_app(), sealed(call_notice("168", "788", 5)))
    assert supervisor().post("/unread/replay/", {"app": app}).status_code == 404
    assert UnreadBody.objects.count() == 1


def test_one_that_somebody_else_replayed_is_no_error() -> None:
    body = kept(make_app(), sealed(call_notice("168", "788", 5)))
    client = supervisor()
    client.post(f"/unread/{body.pk}/replay/")
    answer = client.post(f"/unread/{body.pk}/replay/", follow=True)
    assert said(answer)[-1] == "It is no longer kept: somebody else replayed it, or it was deleted."


def test_a_number_that_is_no_id_is_one_that_is_gone() -> None:
    answer = supervisor().post(f"/unread/{2**63}/replay/", follow=True)
    assert said(answer) == ["It is no longer kept: somebody else replayed it, or it was deleted."]


def test_another_secret_key_is_said_clearly(settings: Settings) -> None:
    kept(make_app(), sealed(call_notice("168", "788", 5)))
    person = make_person(password=None, role=Role.SUPERVISOR)
    settings.SECRET_KEY = "another"
    [words] = said(make_client(person).post("/unread/replay/", follow=True))
    assert words.startswith("1 can't be decrypted, since SECRET_KEY was another one when they were kept")


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("impatient")
def test_a_database_that_is_locked_is_said_and_loses_nothing() -> None:
    body = kept(make_app(), sealed(call_notice("168", "788", 5)))
    client = supervisor()
    with locked_database():
        [answer] = at_once(1, lambda _number: client.post(f"/unread/{body.pk}/replay/"))
    assert answer.status_code == 302
    assert said(client.get("/callbacks/")) == ["The database could not take it now. Try again."]
    assert UnreadBody.objects.count() == 1


@pytest.mark.parametrize(
    ("tally", "words"),
    [
        (Tally(), ""),
        (Tally(read=12, calls=9, duplicates=1, unreadable=3), "12 read: 9 calls, 1 pushed before; 3 still unreadable"),
        (Tally(read=1), "1 read: no calls"),
        (Tally(read=1, ends=1), "1 read: 1 end of a call"),
        (Tally(unreadable=2), "2 still unreadable"),
        (Tally(calls=1, unreadable=1), "0 read: 1 call; 1 still unreadable"),
        (Tally(read=1, calls=1, left=5), "1 read: 1 call; 5 not reached in time: replay once more"),
    ],
)
def test_what_came_of_it_in_words(tally: Tally, words: str) -> None:
    with translation.override("en"):
        assert in_words(tally) == words


# Strangers' texts, and what it costs


def test_no_text_of_strangers_is_taken_for_html() -> None:
    app = make_app(name=HOSTILE[:60])
    logged(app, address=HOSTILE[:64], reason=HOSTILE)
    logged(app, address="\u202egnp.exe<b>", reason="\u202e")
    kept(app, b"?", HOSTILE)
    page = text_of(log())
    assert HARMLESS in page
    assert "<script>alert" not in page
    assert "<img" not in page
    assert "<bdi>\u202egnp.exe&lt;b&gt;</bdi>" in page  # which keeps the change of direction to itself


@pytest.mark.parametrize("number", [10, 1000])
def test_the_page_takes_the_same_queries_however_much_there_is(
    number: int, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    apps = [make_app() for _ in range(5)]
    person = make_person(password=None)
    before = timezone.now() - timedelta(days=2)
    for place in range(number // 5):
        for app in apps:
            kept(app, f"{place}".encode(), received_at=before)
    Callback.objects.bulk_create(
        Callback(app=apps[place % 5], received_at=before, result=Result.READ, replayed_by=person) for place in range(number)
    )
    client = supervisor()
    with django_assert_num_queries(14):
        page = client.get("/callbacks/")
    assert len(rows(page)) == min(number, ROWS)
