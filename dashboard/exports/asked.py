"""Which calls an export holds: history's filters, as they stood in the address when it was asked for."""

from __future__ import annotations

from urllib.parse import urlencode

from django.http import QueryDict

from calls.models import Call, Export
from calls.models.call import CallQuerySet
from calls.models.person import Sight

from ..filters import words
from ..filters.call_filter import CallFilter


class NotValid(Exception):
    """A filter makes no sense to this reader."""


def filtered(query: QueryDict, sight: Sight) -> CallFilter:
    return CallFilter(query, Call.objects.seen_by(sight), sight)


def calls_of(export: Export) -> CallQuerySet:
    """In the export's zone, which must be active. Raises: NotValid, where a filter has become so since it was asked for."""
    found = filtered(QueryDict(export.query), export.person.sight)
    if not found.is_valid():
        raise NotValid(found.form.errors.as_json())
    calls: CallQuerySet = found.qs
    return calls


def to_record(filtered: CallFilter) -> str:
    """What is filtered by, as a query; days that move with the calendar as the dates that they are today."""
    asked = filtered.asked
    if asked.pop("period", None):
        first, last = filtered.form.days
        asked |= {"from": str(first), "to": str(last)}
    return urlencode(asked)


def in_words(export: Export, sight: Sight) -> list[tuple[str, str]]:
    """What the export was filtered by: labels, and values as far as this reader may know them."""
    asked = filtered(QueryDict(export.query), sight)
    return [words.in_words(asked, name) for name in asked.asked]
