"""Calls as HTML: each card once per language, whoever and however many it goes to. Synchronous, since it queries."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db.models import Q
from django.template.loader import get_template, render_to_string
from django.utils import timezone, translation

from ..models import Attempt, Call, FollowUp
from ..models.call import RECENT
from ..models.person import Sight
from ..prepared import ById
from . import people
from .people import Online

RINGING_SHOWN = 1000
ENDED_SHOWN = 20
FOLLOW_UPS_SHOWN = 20

CALLS = ById(Call.objects.all().for_card().order_by("received_at", "id"))
ATTEMPTS = ById(Attempt.objects.order_by("id"), by="call_id")


class Audience(NamedTuple):
    """Pages that are sent the same text: their people see the same calls, in the same language."""

    sight: Sight
    language: str


# Elements with `data-aside` and an id, each of which takes the place of the one that a page has. What changed is sent.
Asides = tuple[str, ...]


@dataclass
class Board:
    """What a page shows at one moment."""

    ringing: list[Call]  # and those being rejected, or unconfirmed
    more: int  # ringing calls beyond those shown
    ended: list[Call]
    sees_nothing: bool  # whether its person is in no team, and so will see no call either


class FollowUps(NamedTuple):
    """The panel beside the cards."""

    shown: list[FollowUp]  # oldest first
    in_all: int


@dataclass
class Rendered:
    """One round of rendering: the text for each audience, and when cards will change by the clock alone."""

    texts: dict[Audience, str] = field(default_factory=dict)
    cut_short: set[Audience] = field(default_factory=set)  # boards that show not all that rings
    changes_at: dict[int, datetime | None] = field(default_factory=dict)  # by call id; None: never
    versions: dict[int, int] = field(default_factory=dict)  # of the calls drawn that are not over, by call id


def board_for(sight: Sight) -> Board:
    """The board of whoever sees this: ringing calls oldest first, ended ones newest first."""
    now = timezone.now()
    seen = Call.objects.seen_by(sight)
    active = seen.active(now).for_card().order_by("received_at", "id")
    handled = Q(outcome=Call.Outcome.UNCONFIRMED)  # somebody clicked: being rejected, or nobody knows whether it was
    ringing = list(active.exclude(handled)[: RINGING_SHOWN + 1])
    more = seen.active(now).exclude(handled).count() - RINGING_SHOWN if len(ringing) > RINGING_SHOWN else 0
    shown = [*ringing[:RINGING_SHOWN], *active.filter(handled)[:RINGING_SHOWN]]
    shown.sort(key=lambda call: (call.received_at, call.pk))
    ended = list(seen.recently_over(now).for_card().order_by("-received_at", "-id")[:ENDED_SHOWN])
    return Board(shown, more, ended, sees_nothing=not sight.all and not sight.teams)


def follow_ups_for(sight: Sight) -> FollowUps:
    """The customers that whoever sees this has to follow up."""
    open_ones = FollowUp.objects.seen_by(sight).open()
    found = list(open_ones.for_list()[: FOLLOW_UPS_SHOWN + 1])
    return FollowUps(found[:FOLLOW_UPS_SHOWN], len(found) if len(found) <= FOLLOW_UPS_SHOWN else open_ones.count())


def calls_by_id(ids: Iterable[int]) -> list[Call]:
    """These calls with all that a card shows, oldest first."""
    calls = CALLS.fetch(ids)
    last_attempts = {attempt.call_id: attempt for attempt in ATTEMPTS.fetch(call.pk for call in calls if call.claimed_by_id)}
    for call in calls:
        call.last_attempt = last_attempts.get(call.pk)
    return calls


def cards(changed: Collection[int], audiences: Iterable[Audience]) -> Rendered:
    """The cards of these calls, for each audience those that it sees; no text where it sees none.

    Calls older than any that a board shows, as those of callbacks that are replayed, have no cards.
    """
    calls = [call for call in calls_by_id(changed) if call.received_at > timezone.now() - RECENT]
    rendered = Rendered(
        changes_at={call.pk: call.changes_at for call in calls},
        versions={call.pk: call.version for call in calls if not call.is_over},
    )
    drawn = _Drawing()
    for audience in audiences:
        seen = [call for call in calls if call.account.team_id in audience.sight]
        if seen:
            rendered.texts[audience] = "".join(drawn.cards(seen, audience.language))
    return rendered


def boards(audiences: Iterable[Audience]) -> Rendered:
    """The whole board of each audience."""
    rendered = Rendered()
    drawn = _Drawing()
    fetched: dict[Sight, Board] = {}
    for audience in audiences:
        board = fetched.get(audience.sight) or fetched.setdefault(audience.sight, board_for(audience.sight))
        rendered.texts[audience] = drawn.board(board, audience.language)
        rendered.changes_at |= {call.pk: call.changes_at for call in board.ringing}
        if board.more:
            rendered.cut_short.add(audience)
    return rendered


def asides(online: Online, audiences: Iterable[Audience]) -> dict[Audience, Asides]:
    """What pages show beside their cards, of each audience."""
    languages: defaultdict[Sight, list[str]] = defaultdict(list)
    for audience in audiences:
        languages[audience.sight].append(audience.language)
    present, teams = people.present(online), people.teams_of(languages)
    drawn: dict[Audience, Asides] = {}
    for sight, spoken in languages.items():
        seen, follow_ups = people.seen_by(sight, present, teams.get(sight)), follow_ups_for(sight)
        for language in spoken:
            with translation.override(language):
                drawn[Audience(sight, language)] = _asides(seen, follow_ups)
    return drawn


def _asides(seen: people.Seen, follow_ups: FollowUps) -> Asides:
    return (
        render_to_string("people/_count.html", {"seen": seen}),
        render_to_string("people/_list.html", {"seen": seen}),
        render_to_string("people/_away.html", {"seen": seen}),
        render_to_string("people/_lookers.html", {"seen": seen}),
        render_to_string("board/_follow_ups.html", {"follow_ups": follow_ups}),
    )


def beat(now: datetime, number: int, doubtful: bool) -> str:
    """A sign of life, which also ends every other text: the server's time, how many texts with cards or asides the audience
    has been sent, and whether calls may be known that no page can be shown. A page that finds a text missing gets itself a
    fresh board."""
    return render_to_string("board/_beat.html", {"now": now, "number": number, "doubtful": doubtful})


class _Drawing:
    """Draws each card once per language, within one round."""

    def __init__(self) -> None:
        self._cards: defaultdict[str, dict[int, str]] = defaultdict(dict)  # by language and call

    def cards(self, calls: Sequence[Call], language: str) -> list[str]:
        drawn = self._cards[language]
        template = get_template("board/_card.html")
        with translation.override(language):
            for call in calls:
                if call.pk not in drawn:
                    drawn[call.pk] = template.render({"call": call})
        return [drawn[call.pk] for call in calls]

    def board(self, board: Board, language: str) -> str:
        context: Mapping[str, object] = {
            "ringing": self.cards(board.ringing, language),
            "ended": self.cards(board.ended, language),
            "more": board.more,
            "sees_nothing": board.sees_nothing,
            "now": timezone.now(),
        }
        with translation.override(language):
            return render_to_string("board/_board.html", context)
