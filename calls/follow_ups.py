"""The service that keeps the lists of customers to follow up: added, taken by a person, given back, done with a note.

What a team's setting asks for is added by a sweep, once a call is over. The rule: such a call puts its contact on the list
of the account's team, unless they are on it, or still were when the call came. What the contact does later changes nothing.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Max, Q
from django.utils import timezone

from .live import publish
from .models import Call, FollowUp, Person, Team
from .models.follow_up import held_by

Outcome = Call.Outcome

MISSED = frozenset({Outcome.MISSED, Outcome.REFUSED})
ADDED_FOR = {
    Team.FollowUps.MISSED: MISSED,
    Team.FollowUps.UNANSWERED: MISSED | {Outcome.REJECTED, Outcome.RULE, Outcome.UNCONFIRMED},
}

EVERY = 2.0  # seconds between two sweeps
CALLS_AT_ONCE = 1000
LOOKED_BACK = timedelta(days=1)  # by a process that begins to sweep: whoever swept before may have stopped for a while
# For how long a call is looked at again: until then, one with a lower id may still be on its way into the database.
STORED_WITHIN = timedelta(seconds=60)


def add(call: Call, person: Person) -> bool:
    """Put the contact of this call on the list of its account's team. Returns: whether they weren't on it.

    Raises: django.db.Error.
    """
    try:
        with transaction.atomic():
            FollowUp.objects.create(**_of(call), added_by=person, added_at=timezone.now())
    except IntegrityError:
        return False
    return _changed(1)


def take(pk: int, person: Person) -> bool:
    """Have this person do it, where nobody else does. Returns: whether they have it. Raises: as above."""
    free = FollowUp.objects.open().filter(pk=pk, taken_by=None)
    return _changed(free.update(taken_by=person, taken_at=timezone.now()))


def give_back(pk: int, person: Person) -> bool:
    """Leave to others what one has, or as a supervisor what anybody has. Returns: whether it was had. Raises: as above."""
    return _changed(FollowUp.objects.open().filter(held_by(person), pk=pk).update(taken_by=None, taken_at=None))


def done(pk: int, person: Person, note: str) -> bool:
    """Take it off the list: one's own or nobody's, as a supervisor anybody's. Returns: whether it was. Raises: as above."""
    settled = FollowUp.objects.open().filter(held_by(person) | Q(taken_by=None), pk=pk)
    return _changed(settled.update(done_by=person, done_at=timezone.now(), note=note))


class Sweep:
    """Adds what teams' settings ask for. Remembers how far it has come; what it looks at again is not added again."""

    def __init__(self) -> None:
        self._after: int | None = None  # the id up to which no call has to be looked at any more

    def step(self) -> bool:
        """Look at the next calls. Returns: whether there are more. Raises: django.db.Error; then nothing was added."""
        now = timezone.now()
        teams = {team.pk: team for team in Team.objects.exclude(follow_up=Team.FollowUps.BY_HAND)}
        if not teams:
            self._after = None
            return False
        if self._after is None:
            self._after = _before_the_first_call_since(now - LOOKED_BACK)
        calls = list(Call.objects.filter(pk__gt=self._after).select_related("account").order_by("pk")[:CALLS_AT_ONCE])
        over = [call for call in calls if call.is_over and _is_asked_for(call, teams)]
        if new := _without_those_known([FollowUp(**_of(call), added_at=now) for call in over]):
            FollowUp.objects.bulk_create(new, ignore_conflicts=True)
            _changed(len(new))
        settled = _settled_first(calls, now)
        if settled:
            self._after = settled[-1].pk
        return len(settled) == CALLS_AT_ONCE


def _before_the_first_call_since(moment: datetime) -> int:
    """The id of a call; 0 where there is none. Where none came since, it is the last one."""
    last = Call.objects.aggregate(pk=Max("pk"))["pk"] or 0
    since = Call.objects.filter(received_at__gte=moment).order_by("received_at", "id")
    first = since.values_list("pk", flat=True).first()
    return last if first is None else first - 1


def _settled_first(calls: list[Call], now: datetime) -> list[Call]:
    """The calls before the first one that is to be looked at again."""
    for number, call in enumerate(calls):
        if not call.is_over or call.received_at > now - STORED_WITHIN:
            return calls[:number]
    return calls


def _is_asked_for(call: Call, teams: dict[int, Team]) -> bool:
    team = teams.get(call.account.team_id or 0)
    if team is None or team.follow_up_since is None or call.received_at < team.follow_up_since:
        return False
    return call.outcome in ADDED_FOR[Team.FollowUps(team.follow_up)]


def _without_those_known(new: list[FollowUp]) -> list[FollowUp]:
    """Those whose contact was not on the team's list when the call came, and has not been since."""
    if not new:
        return []
    known: dict[tuple[int, int | None], list[datetime | None]] = defaultdict(list)
    of_contacts = FollowUp.objects.filter(contact__in={one.contact_id for one in new})
    since = Q(done_at=None) | Q(done_at__gte=min(one.call.received_at for one in new))
    for contact, team, done_at in of_contacts.filter(since).values_list("contact", "team", "done_at"):
        known[contact, team].append(done_at)
    return [one for one in new if not any(_covers(done_at, one) for done_at in known[one.contact_id, one.team_id])]


def _covers(done_at: datetime | None, new: FollowUp) -> bool:
    return done_at is None or done_at >= new.call.received_at


def _of(call: Call) -> dict[str, Any]:
    return {"call": call, "contact_id": call.contact_id, "team_id": call.account.team_id}


def _changed(rows: int) -> bool:
    """Show every page what changed, if anything did, once it is committed. Returns: whether it did."""
    if rows:
        transaction.on_commit(publish.asides_changed, robust=True)
    return bool(rows)
