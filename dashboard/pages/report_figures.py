"""The numbers of a report, each with the address in history that lists as many calls."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.urls import reverse
from django.utils.html import format_html
from django.utils.http import urlencode

from calls.models import Call
from calls.reports import Tally
from calls.templatetags.ringdesk import thousands

from .report_filter import ReportFilter

Outcome = Call.Outcome


@dataclass(frozen=True)
class Figure:
    """A number of calls, with the address that lists exactly these; none for nothing."""

    number: int
    href: str

    def __str__(self) -> str:
        if not self.href:
            return thousands(self.number)
        return format_html('<a href="{}">{}</a>', self.href, thousands(self.number))


class Links:
    """Addresses in history of the calls that a report counts: its own filters, and one more."""

    def __init__(self, asked_for: ReportFilter) -> None:
        self._filters = asked_for.filter.asked
        self._history = reverse("history")
        self._query = asked_for.query

    def __call__(self, number: int, **more: Any) -> Figure:
        # Beside a filter for one outcome, none of another one are counted; a link to them would forget that filter.
        return Figure(number, f"{self._history}?{urlencode(self._filters | more)}" if number else "")

    def in_full(self, key: str) -> str:
        """The query of this report with all rows of this table."""
        query = self._query.copy()
        query["full"] = key
        return query.urlencode()

    def of(self, tally: Tally, **more: Any) -> tuple[Figure, Figure, Figure, Figure]:
        """All, rejected by people, missed, and seen by nobody."""
        return (
            self(tally.calls, **more),
            self(tally.outcomes[Outcome.REJECTED], **more, outcome=Outcome.REJECTED.value),
            self(tally.outcomes[Outcome.MISSED], **more, outcome=Outcome.MISSED.value),
            self(tally.unseen, **more, unseen="true"),
        )


def sum_of(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.calls += tally.calls
        total.outcomes.update(tally.outcomes)
        total.unseen += tally.unseen
    return total
