"""What is searched for, in words: a chip for each part of an address, which leads to the same without it."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from ..filters.call_filter import CallFilter
from ..filters.words import in_words

# A weekday or an hour makes no sense without days.
DAYS, OF_DAYS = {"period", "from", "to"}, {"weekday", "hour"}


@dataclass(frozen=True)
class Chip:
    label: str
    value: str  # empty where the label says it all
    without: str  # the query that is left


def chips(filtered: CallFilter) -> list[Chip]:
    """In the order of the filters. What makes no sense is shown as it came."""
    return [_chip(filtered, name) for name in filtered.asked]


def _chip(filtered: CallFilter, name: str) -> Chip:
    gone = {name} | (OF_DAYS if name in DAYS else set())
    left = {other: value for other, value in filtered.asked.items() if other not in gone}
    return Chip(*in_words(filtered, name), without=urlencode(left))
