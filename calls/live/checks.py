"""What the hub asks the database again and again, so that it depends on nobody's telling. Synchronous, since it queries."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.contrib.sessions.models import Session
from django.db.models import Count, F, Sum
from django.utils import timezone

from ..models import Account, Call, Person
from ..models.person import Sight, sights
from .sockets import Socket

CALLS_COMPARED = 1000

Assignments = tuple[int, int | None, int | None]
Versions = dict[int, int]  # of calls, by id


def rights(sockets: Iterable[Socket]) -> dict[Socket, Sight]:
    """What each socket's person sees now; without those who were signed out or deactivated, or whose password was changed or
    must be."""
    sockets = list(sockets)
    people = {
        person.pk: person
        for person in Person.objects.filter(
            pk__in={socket.person_id for socket in sockets}, is_active=True, must_change_password=False
        )
    }
    sight_of = sights(people.values())
    sessions = set(
        Session.objects.filter(
            pk__in={socket.session_key for socket in sockets}, expire_date__gt=timezone.now()
        ).values_list("pk", flat=True)
    )
    return {
        socket: sight_of[socket.person_id]
        for socket in sockets
        if socket.session_key in sessions
        and socket.person_id in people
        and people[socket.person_id].password == socket.password
    }


def assignments() -> Assignments:
    """Another value where an account went to another team: cheap to ask for every second, and independent of who did it."""
    assigned = Account.objects.filter(team__isnull=False)
    found = assigned.aggregate(count=Count("pk"), teams=Sum("team_id"), pairs=Sum(F("pk") * F("team_id")))
    return found["count"], found["teams"], found["pairs"]


def active_versions() -> Versions:
    """The newest calls that belong on a board."""
    active = Call.objects.active(timezone.now()).order_by("-pk")
    return dict(active.values_list("pk", "version")[:CALLS_COMPARED])


def differing(drawn: Mapping[int, int], active: Mapping[int, int]) -> set[int]:
    """Calls that pages show otherwise than they are: new, changed, or over.

    Takes: what was drawn of active calls, and `active_versions`. Where there are more than it tells of, the older ones, of
    which it says nothing, are taken to be the same.
    """
    oldest = min(active) if len(active) >= CALLS_COMPARED else 0
    gone = {pk for pk in drawn if pk >= oldest and pk not in active}
    return gone | {pk for pk, version in active.items() if drawn.get(pk) != version}
