"""Being away: set for a while, over by itself, at a click, or as soon as somebody acts again."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from .live import publish
from .models import Person

MINUTES = (15, 30, 60)  # that are offered


def go_away(person: Person, minutes: int | None) -> None:
    """From now on, for so long; None: until they return."""
    person.away_since = timezone.now()
    person.away_until = person.away_since + timedelta(minutes=minutes) if minutes else None
    _save(person)


def come_back(person: Person) -> None:
    """Costs nothing for those who aren't away."""
    if person.is_away:
        person.away_since = person.away_until = None
        _save(person)


def _save(person: Person) -> None:
    person.save(update_fields=["away_since", "away_until"])
    publish.asides_changed()
