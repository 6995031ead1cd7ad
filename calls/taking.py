"""The service by which somebody takes a call: to deal with the caller, by phone or in writing, so that no two do."""

from __future__ import annotations

from .live import publish
from .models import Call, Person


def take(pk: int, person: Person, instead_of: int | None = None) -> bool:
    """Take a call in this person's name, and show it; see `CallQuerySet.take`."""
    taken = Call.objects.take(pk, person, instead_of)
    if taken:
        publish.calls_changed([pk])
    return taken


def give_back(pk: int, person: Person) -> bool:
    """Leave a call to others again, and show it; see `CallQuerySet.give_back`."""
    given_back = Call.objects.give_back(pk, person)
    if given_back:
        publish.calls_changed([pk])
    return given_back
