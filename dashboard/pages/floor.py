"""The live floor, for supervisors: what rings, who is there and what they do, and how the last hour went."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.http import HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from calls.floor import Figures, Floor, current_floor, last_rejects
from calls.live import people
from calls.live.hub import hub
from calls.live.people import Present
from calls.models import Team

from ..filters.call_filter import WITHOUT_TEAM
from .requests import SignedInRequest
from .roles import supervisors_only


@dataclass(frozen=True)
class AtWork:
    """Somebody who is online."""

    present: Present
    last_reject: datetime | None


@dataclass(frozen=True)
class Row:
    """A team on the floor where something happens."""

    team: Team | None  # None: accounts without a team
    key: str  # as history's filter names it
    figures: Figures
    people: list[AtWork]


@require_GET
@never_cache
@supervisors_only
def floor(request: SignedInRequest) -> HttpResponse:
    """The whole page, or for HTMX, which asks every few seconds, what changes on it."""
    present = people.present(hub.online())
    rejects = last_rejects([one.person.pk for one in present])
    at_work = [AtWork(one, rejects.get(one.person.pk)) for one in present]
    now = current_floor()
    context = {
        "all": now.all,
        "rows": list(_rows(now, at_work)),
        "see_all": [one for one in at_work if one.present.sight.all],
        "here": sum(not one.person.is_away for one in present),
        "away": sum(one.person.is_away for one in present),
    }
    return render(request, "floor/_floor.html" if request.htmx else "floor/page.html", context)


def _rows(now: Floor, at_work: Sequence[AtWork]) -> Iterator[Row]:
    for team in Team.objects.all():
        of_team = [one for one in at_work if team.pk in one.present.sight.teams]
        if of_team or team.pk in now.teams:
            yield Row(team, str(team.pk), now.teams[team.pk], of_team)
    if None in now.teams:
        yield Row(None, WITHOUT_TEAM, now.teams[None], [])
