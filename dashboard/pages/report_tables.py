"""The figures that a report begins with, and its tables of accounts, people, teams and repeat callers."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from calls.models import Account, Call, Contact, FollowUp, Person, Team
from calls.reports import Delay, FollowedUp, Tally
from calls.templatetags.ringdesk import thousands

from ..filters.call_filter import WITHOUT_TEAM
from .report_figures import Figure, Links, sum_of
from .report_filter import ReportFilter
from .report_words import change_in_number, change_in_percent, change_in_speed, length_in_words, percentage

Outcome = Call.Outcome
State = FollowUp.State

ROWS = 10  # of a table, until all are asked for
CALLERS = 10


@dataclass(frozen=True)
class Card:
    label: str
    value: str
    figure: Figure
    change: str = ""


@dataclass(frozen=True)
class Row:
    name: str
    figures: Sequence[Figure]  # all, rejected by people, missed, and seen by nobody
    share: str


@dataclass(frozen=True)
class Table:
    key: str
    heading: str
    rows: list[Row]
    more: int  # that are left out
    full: str  # the query with which none is


def headline(now: Tally, before: Tally | None, asked_for: ReportFilter) -> list[Card]:
    link = Links(asked_for)
    calls, rejected, missed, unseen = link.of(now)
    by_rules = link(now.outcomes[Outcome.RULE], outcome=Outcome.RULE.value)
    return [
        Card(gettext("Calls"), thousands(now.calls), calls, change_in_percent(now.calls, before.calls if before else None)),
        _share_card(gettext("Rejected by people"), Outcome.REJECTED, rejected, now, before),
        _share_card(gettext("Rejected by rules"), Outcome.RULE, by_rules, now, before),
        Card(
            gettext("Missed"),
            thousands(missed.number),
            missed,
            change_in_number(missed.number, before.outcomes[Outcome.MISSED] if before else None),
        ),
        Card(
            gettext("Nobody saw it"),
            thousands(unseen.number),
            unseen,
            change_in_number(unseen.number, before.unseen if before else None),
        ),
    ]


def ranks(now: Delay, before: Delay | None) -> list[tuple[str, str, str]]:
    """Name of the percentile, its value, and how it changed."""
    return [
        (name, length_in_words(getattr(now, name)), change_in_speed(now, before, name)) for name in ("p50", "p90", "p99")
    ]


def follow_ups(found: FollowedUp, asked_for: ReportFilter) -> list[tuple[str, Figure]]:
    """What is counted, and how many calls that are."""
    link = Links(asked_for)
    # A report of one state alone counts none of another.
    all_of_them = asked_for.filter.asked.get("follow_up", State.ANY.value)
    return [
        (gettext("Led to a follow-up"), link(found.calls, follow_up=all_of_them)),
        (gettext("Open now"), link(found.open, follow_up=State.OPEN.value)),
        (gettext("Done"), link(found.done, follow_up=State.DONE.value)),
    ]


def _share_card(label: str, outcome: Call.Outcome, figure: Figure, now: Tally, before: Tally | None) -> Card:
    change = ""
    if before is not None and before.calls and now.calls:
        points = round(100 * (now.outcomes[outcome] / now.calls - before.outcomes[outcome] / before.calls), 1)
        words = {"points": f"{abs(points):.1f}", "before": percentage(before.outcomes[outcome], before.calls)}
        if points > 0:
            change = gettext("%(points)s points more than before (%(before)s)") % words
        elif points < 0:
            change = gettext("%(points)s points less than before (%(before)s)") % words
        else:
            change = gettext("the same share as before")
    return Card(label, percentage(figure.number, now.calls), figure, change)


def breakdown(accounts: Mapping[int, Tally], people: Mapping[int, Tally], asked_for: ReportFilter, full: str) -> list[Table]:
    named = Account.objects.in_bulk(accounts)
    teams: dict[int | None, list[Tally]] = defaultdict(list)
    for pk, tally in accounts.items():
        teams[named[pk].team_id].append(tally)
    by_team = {team: sum_of(tallies) for team, tallies in teams.items()}
    team_names = {team.pk: str(team) for team in Team.objects.filter(pk__in=[pk for pk in by_team if pk])}
    persons = Person.objects.in_bulk(people)
    # Of people whom the reader can't choose in the filter there is a number, and no list.
    choice = asked_for.filter.form.fields["agent"].queryset.filter(pk__in=people)
    known = set(choice.values_list("pk", flat=True))
    link = Links(asked_for)
    total = sum(tally.calls for tally in accounts.values())
    return [
        _table("accounts", gettext("By account"), link, full, total, [
            (str(named[pk]), tally, {"account": pk}) for pk, tally in accounts.items()
        ]),
        _table("people", gettext("By person"), link, full, total, [
            (str(persons[pk]), tally, {"agent": persons[pk].username} if pk in known else None)
            for pk, tally in people.items()
        ]),
        _table("teams", gettext("By team"), link, full, total, [
            (team_names.get(team or 0, gettext("No team")), tally, {"team": team or WITHOUT_TEAM})
            for team, tally in by_team.items()
        ]),
    ]  # fmt: skip


def callers(found: Sequence[tuple[int, Tally]], total: Tally, asked_for: ReportFilter) -> Table:
    contacts = Contact.objects.in_bulk([pk for pk, _tally in found])
    rows = [(str(contacts[pk]), tally, {"contact": pk}) for pk, tally in found]
    return _table("callers", gettext("Repeat callers"), Links(asked_for), "callers", total.calls, rows)


def _table(
    key: str, heading: str, link: Links, full: str, total: int, rows: Sequence[tuple[str, Tally, dict[str, Any] | None]]
) -> Table:
    """Shares are of all calls of the report."""
    ordered = sorted(rows, key=lambda row: (-row[1].calls, row[0]))
    shown = ordered if full == key else ordered[:ROWS]
    return Table(
        key,
        heading,
        [
            Row(
                name,
                link.of(tally, **query) if query is not None else _unlinked(link.of(tally)),
                percentage(tally.calls, total),
            )
            for name, tally, query in shown
        ],
        more=len(ordered) - len(shown),
        full=link.in_full(key),
    )


def _unlinked(figures: Iterable[Figure]) -> list[Figure]:
    return [Figure(figure.number, "") for figure in figures]
