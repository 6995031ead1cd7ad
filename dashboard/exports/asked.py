"""Which calls an export holds: history's filters, as they stood in the address when it was asked for."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict

from calls.models import Call, Export
from calls.models.call import CallQuerySet
from calls.models.person import Sight

from ..pages.history_filter import CallFilter


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
    asked = {name: filtered.data[name] for name in filtered.filters if filtered.data.get(name)}
    if asked.pop("period", None):
        first, last = filtered.form.days
        asked |= {"from": str(first or ""), "to": str(last or "")}
    query = QueryDict(mutable=True)
    query.update({name: value for name, value in asked.items() if value})
    return query.urlencode()


def in_words(export: Export, sight: Sight) -> list[tuple[str, str]]:
    """What the export was filtered by: labels, and values as far as this reader may know them."""
    given = QueryDict(export.query)
    form = filtered(given, sight).form
    form.is_valid()  # for what it makes of the values
    return [
        (str(field.label), _shown(field, form.cleaned_data.get(name), given[name]))
        for name, field in form.fields.items()
        if given.get(name)
    ]


def _shown(field: forms.Field, value: Any, given: str) -> str:
    if isinstance(value, bool):
        return ""
    if isinstance(field, forms.ModelChoiceField):
        return str(getattr(field, "null_label", "") if value == given else value or given)
    labels = {str(choice): label for choice, label in getattr(field, "choices", [])}
    return str(labels.get(given, given))
