"""What supervisors see of the floor at this moment: what rings, and what became of the calls of the last hour, by team."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import cast

from django.core.cache import cache
from django.db.models import Max
from django.utils import timezone

from . import tallies
from .models import Attempt, Call, DelayCount

HOUR = timedelta(hours=1)
SHIFT = timedelta(hours=12)  # how far back somebody's last reject is looked for
FRESH_FOR = 2  # seconds; however many supervisors look

TeamId = int | None  # None: accounts without a team


@dataclass
class Figures:
    """Of one team, or of all together."""

    ringing: int = 0
    longest: tuple[datetime, int] | None = None  # since when it rings, and the call's id
    outcomes: Counter[str] = field(default_factory=Counter)  # of the calls that came within the last hour, and are over
    delays: Counter[int] = field(default_factory=Counter)  # milliseconds from these calls to their rejects

    @property
    def rings_for(self) -> timedelta | None:
        """Of the call that rings longest."""
        return max(timezone.now() - self.longest[0], timedelta()) if self.longest else None

    @property
    def rejected(self) -> int:
        return self.outcomes[Call.Outcome.REJECTED]

    @property
    def missed(self) -> int:
        return self.outcomes[Call.Outcome.MISSED]

    @property
    def median(self) -> timedelta | None:
        """From a call to its reject, of two significant digits."""
        rank = tallies.nearest_rank(sorted(self.delays.items()), 50)
        return None if rank is None else timedelta(milliseconds=rank)


@dataclass
class Floor:
    all: Figures = field(default_factory=Figures)
    teams: defaultdict[TeamId, Figures] = field(default_factory=lambda: defaultdict(Figures))

    def of(self, team: TeamId) -> Iterator[Figures]:
        """Those that something of this team counts for."""
        yield self.all
        yield self.teams[team]


def current_floor() -> Floor:
    """As it is now, or was at most 2 s ago. Takes three queries."""
    return cast(Floor, cache.get_or_set("floor", lambda: _looked_at(timezone.now()), FRESH_FOR))


def _looked_at(now: datetime) -> Floor:
    found = Floor()
    ringing = Call.objects.active(now).order_by("received_at", "pk")
    for team, received_at, pk in ringing.values_list("account__team", "received_at", "pk"):
        for figures in found.of(team):
            figures.ringing += 1
            figures.longest = figures.longest or (received_at, pk)
    lately = Call.objects.filter(received_at__gte=now - HOUR)
    for team, state, _unseen, number in tallies.grouped(lately, now, "team"):
        for figures in found.of(team):
            figures.outcomes[state] += number
    for (team, state, milliseconds), number in tallies.delays(lately, now, DelayCount.Until.REJECTED, "team").items():
        for figures in found.of(team):
            if state == Call.Outcome.REJECTED:
                figures.delays[milliseconds] += number
    return found


def last_rejects(people: Collection[int]) -> dict[int, datetime]:
    """When each of these people last rejected a call within the last 12 hours, where they did."""
    accepted = Attempt.objects.filter(
        person__in=people, started_at__gt=timezone.now() - SHIFT, result=Attempt.Result.ACCEPTED
    )
    return dict(accepted.order_by().values_list("person").annotate(at=Max("started_at")))
