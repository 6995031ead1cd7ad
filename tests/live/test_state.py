"""What a page has put together from all that it was sent is what it would be shown if it were loaded now.

Whatever happens, in whatever order: the domain itself is driven, the hub is the real one, and so is the database.
"""

from __future__ import annotations

import asyncio
import re
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

import pytest
from django.contrib.sessions.models import Session
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from calls.live import hub as hub_module
from calls.live import publish, render
from calls.live.hub import Hub
from calls.live.render import Audience
from calls.live.sockets import Socket
from calls.models import Account, Attempt, Call, Person
from calls.models.person import Sight
from calls.receive import Batch, Reception
from calls.vendor.notices import EndedCall, IncomingCall

from ..factory import make_account, make_app, make_attempt, make_person, make_team

WITHIN = 5  # seconds; a bound that only a lost card breaks
RING = 60  # seconds

CARD = re.compile(
    r'<article id="call-(\d+)"[^>]*data-status="(\w+)"( data-over)?[^>]*data-version="(\d+)" data-drawn="(\d+)"'
)
ASIDE = " data-aside"
NUMBER = re.compile(r'<i id="beat" data-seq="(\d+)"')


class Shown(NamedTuple):
    """A card, as far as a page decides by it."""

    version: int
    drawn: int
    status: str


class Page:
    """Puts a board together as cards.js does, and checks the numbers as socket.js does."""

    def __init__(self, socket: Socket) -> None:
        self.socket = socket
        self.cards: dict[int, Shown] = {}
        self.number: int | None = None

    def read(self) -> None:
        while not self.socket.queue.empty():
            text = self.socket.queue.get_nowait()
            assert isinstance(text, str), f"closed with {text}"
            self._take(text)

    def _take(self, text: str) -> None:
        sent = {int(pk): Shown(int(version), int(drawn), status) for pk, status, _, version, drawn in CARD.findall(text)}
        [number] = map(int, NUMBER.findall(text))
        if '<section id="board"' in text:
            self.cards = {pk: card for pk, card in self.cards.items() if pk in sent}
        else:
            before = self.number if self.number is not None else -1
            assert number == before + (bool(sent) or ASIDE in text), "a text is missing"
        self.number = number
        for pk, card in sent.items():
            self.cards[pk] = max(card, self.cards.get(pk, card), key=lambda one: (one.version, one.drawn))

    @property
    def statuses(self) -> dict[int, str]:
        return {pk: card.status for pk, card in self.cards.items()}


def fresh(sight: Sight) -> dict[int, str]:
    board = render.board_for(sight)
    return {call.pk: str(call.status) for call in (*board.ringing, *board.ended)}


@contextmanager
def running(hub: Hub) -> Iterator[asyncio.AbstractEventLoop]:
    """The hub in an event loop of its own, as beside the threads of the writer and of people's requests."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        asyncio.run_coroutine_threadsafe(_start(hub), loop).result(WITHIN)
        yield loop
    finally:
        asyncio.run_coroutine_threadsafe(hub.stop(), loop).result(WITHIN)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _start(hub: Hub) -> None:
    hub.start()


class Life(RuleBasedStateMachine):
    """Calls come, are claimed, settled, ended or run out, and accounts move, while two teams and a supervisor watch."""

    calls = Bundle("calls")
    claims = Bundle("claims")

    @initialize()
    def open_pages(self) -> None:
        self.app = make_app()
        self.teams = [make_team(), make_team()]
        self.account = make_account(self.app, team=self.teams[0])
        self.person = make_person(*self.teams, password=None)
        self.session = Session.objects.create(pk=f"session{self.person.pk}", expire_date=timezone.now() + timedelta(days=1))
        self.reception = Reception()
        self.pushed = 0
        self.hub = Hub()
        self._running = running(self.hub)
        self.loop = self._running.__enter__()
        people = [make_person(team, password=None) for team in self.teams]
        people.append(make_person(role=Person.Role.SUPERVISOR, password=None))
        self.pages = [self._page(person) for person in people]

    def _page(self, person: Person) -> Page:
        audience = Audience(person.sight, "en")
        socket = Socket(person.pk, str(self.session.pk), person.password, audience)
        self.loop.call_soon_threadsafe(self.hub.join, socket)
        return Page(socket)

    def _push(self, voipid: str, received_ago: float = 0.0) -> list[int]:
        call = IncomingCall(self.account.wxid, "788", voipid, kind=2)
        received_at = timezone.now() - timedelta(seconds=received_ago)
        [receipt] = self.reception.take_in([Batch(self.app.pk, received_at, RING, [call])])
        return receipt.stored

    @rule(target=calls)
    def a_call_comes(self) -> str:
        self.pushed += 1
        assert self._push(str(self.pushed))
        return str(self.pushed)

    @rule()
    def a_call_comes_whose_ring_window_runs_out_at_once(self) -> None:
        self.pushed += 1
        assert self._push(str(self.pushed), received_ago=RING - 0.05)
        time.sleep(0.06)

    @rule(voipid=calls)
    def a_call_is_pushed_again(self, voipid: str) -> None:
        assert not self._push(voipid)

    @rule(target=claims, voipid=calls)
    def somebody_clicks(self, voipid: str) -> tuple[int, datetime | None]:
        pk = Call.objects.get(voipid=voipid, account__app=self.app).pk
        until = Call.objects.claim(pk, self.person)
        publish.calls_changed([pk])
        return pk, until

    @rule(claim=consumes(claims), result=st.sampled_from(Attempt.Result))
    def the_vendor_answers(self, claim: tuple[int, datetime | None], result: Attempt.Result) -> None:
        pk, until = claim
        if until is not None:
            make_attempt(Call.objects.get(pk=pk), self.person, result=result)
            Call.objects.settle(pk, until)
            publish.calls_changed([pk])

    @rule(claim=consumes(claims))
    def a_claim_is_left_by_a_dead_process(self, claim: tuple[int, datetime | None]) -> None:
        Call.objects.filter(pk=claim[0], claimed_until__isnull=False).update(claimed_until=timezone.now())
        publish.calls_changed([claim[0]])

    @rule(voipid=calls)
    def the_vendor_says_that_a_call_is_over(self, voipid: str) -> None:
        end = EndedCall(self.account.wxid, voipid)
        self.reception.take_in([Batch(self.app.pk, timezone.now(), RING, ends=[end])])

    @rule(team=st.integers(0, 1))
    def the_account_goes_to_a_team(self, team: int) -> None:
        Account.objects.filter(pk=self.account.pk).update(team=self.teams[team])

    @rule()
    def another_page_opens(self) -> None:
        self.pages.append(self._page(make_person(self.teams[1], password=None)))

    @invariant()
    def every_page_shows_what_a_fresh_load_would(self) -> None:
        give_up_at = time.monotonic() + WITHIN
        for page in getattr(self, "pages", []):
            while (shown := self._read(page)) != (expected := fresh(page.socket.audience.sight)):
                assert time.monotonic() < give_up_at, f"shown: {shown}, but a fresh load would show {expected}"
                time.sleep(0.005)

    def _read(self, page: Page) -> dict[int, str]:
        done: Future[dict[int, str]] = Future()

        def read() -> None:
            try:
                page.read()
                done.set_result(page.statuses)
            except AssertionError as error:
                done.set_exception(error)

        self.loop.call_soon_threadsafe(read)
        return done.result(WITHIN)

    def teardown(self) -> None:
        if hasattr(self, "pages"):
            self._running.__exit__(None, None, None)
            for model in (Attempt, Call):
                model.objects.all().delete()


@pytest.mark.django_db(transaction=True)
def test_cards_on_top_of_a_board_are_what_a_fresh_load_would_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hub_module, "RIGHTS_CHECKED_EVERY", 0.02)
    monkeypatch.setattr(hub_module, "BEAT_EVERY", 0.02)
    monkeypatch.setattr(hub_module, "CALLS_COMPARED_EVERY", 3600)  # it would mend what this is to find
    run_state_machine_as_test(
        Life,
        settings=settings(max_examples=12, stateful_step_count=15, database=None, suppress_health_check=list(HealthCheck)),
    )
