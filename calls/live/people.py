"""The people who are online, as far as somebody sees them: those who see some of the same calls. Synchronous, since it
queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..models import Call, Person, Team
from ..models.person import Sight, sights
from ..prepared import ById

Online = Mapping[int, frozenset[int]]  # by a person's id: the ids of the calls that they look at

PEOPLE_LISTED = 50  # each page is sent the list anew whenever somebody comes or goes

PEOPLE = ById(Person.objects.all())
CALLS = ById(Call.objects.select_related("account", "contact"))
TEAMS = ById(Team.objects.all())


@dataclass(frozen=True)
class Present:
    """Somebody who is online, and what they look at."""

    person: Person
    sight: Sight
    calls: list[Call]  # that they may see, with account and contact


@dataclass(frozen=True)
class Seen:
    """What one audience is shown of those who are online."""

    people: list[Present]  # those who are away come last
    team: Team | None  # theirs, where they are of a single one
    looking: list[tuple[Call, Person]]

    @property
    def listed(self) -> list[Present]:
        return self.people[:PEOPLE_LISTED]

    @property
    def more(self) -> int:
        """Those who aren't listed."""
        return len(self.people) - len(self.listed)

    @cached_property
    def away(self) -> list[Person]:
        return [one.person for one in self.people if one.person.is_away]

    @property
    def here(self) -> int:
        return len(self.people) - len(self.away)


def present(online: Online) -> list[Present]:
    """These people, by name, those who are away last. Takes three queries at most, and none where there is nobody."""
    people = sorted(PEOPLE.fetch(online), key=_order)
    sight_of = sights(people)
    calls = {call.pk: call for call in CALLS.fetch(pk for looked_at in online.values() for pk in looked_at)}
    return [
        Present(
            person,
            sight_of[person.pk],
            [
                calls[pk]
                for pk in sorted(online[person.pk])
                if pk in calls and calls[pk].account.team_id in sight_of[person.pk]
            ],
        )
        for person in people
    ]


def _order(person: Person) -> tuple[bool, str, int]:
    return person.is_away, str(person).casefold(), person.pk


def teams_of(sights: Iterable[Sight]) -> dict[Sight, Team]:
    """The team of each of these that see a single one."""
    only = {sight: next(iter(sight.teams)) for sight in sights if len(sight.teams) == 1}
    teams = {team.pk: team for team in TEAMS.fetch(set(only.values()))}
    return {sight: teams[pk] for sight, pk in only.items() if pk in teams}


def seen_by(sight: Sight, people: Iterable[Present], team: Team | None) -> Seen:
    """Colleagues, and who of them looks at which call that is seen."""
    colleagues = [one for one in people if sight.shows(one.sight)]
    looking = [(call, one.person) for one in colleagues for call in one.calls if call.account.team_id in sight]
    return Seen(colleagues, team, looking)
