"""The parts of a report as its templates draw them: numbers with their links, charts, tables, and changes in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django.urls import reverse
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from calls.models import Account, Call, Contact, Person, Team
from calls.reports import Delay, Tally
from calls.templatetags.ringdesk import thousands

from .. import charts
from ..filters.call_filter import WITHOUT_TEAM
from ..filters.words import in_words
from .report_filter import DATES, ReportFilter

Hours = Mapping[tuple[date, int], Tally]
Outcome = Call.Outcome

ROWS = 10  # of a table, until all are asked for
CALLERS = 10
# Every how many hours, days or weeks a label looks natural.
STEPS = {"hour": (1, 2, 3, 6, 12, 24), "day": (1, 2, 7, 14, 28), "week": (1, 2, 4, 8, 13)}


@dataclass(frozen=True)
class Figure:
    """A number of calls, with the address that lists exactly these; none for nothing."""

    number: int
    href: str

    def __str__(self) -> str:
        if not self.href:
            return thousands(self.number)
        return format_html('<a href="{}">{}</a>', self.href, thousands(self.number))


@dataclass(frozen=True)
class Card:
    label: str
    value: str
    figure: Figure
    change: str = ""


@dataclass(frozen=True)
class Bar:
    place: charts.Rectangle
    tone: str
    title: str
    href: str


@dataclass(frozen=True)
class Chart:
    geometry: charts.Columns
    legend: list[tuple[str, str]]  # tones, with what they stand for, from the bottom
    bars: list[Bar]
    labels: list[tuple[float, str]]
    head: list[str]
    rows: list[tuple[str, list[Figure]]]
    width: int = charts.WIDTH
    height: int = charts.HEIGHT


@dataclass(frozen=True)
class Cell:
    place: charts.Rectangle
    level: int
    title: str
    figure: Figure


@dataclass(frozen=True)
class HeatMap:
    rows: list[tuple[str, list[Cell]]]  # by weekday
    by_hour: list[tuple[int, list[Figure]]]  # the same the other way around, for the table
    legend: list[tuple[int, str]]  # levels, with the numbers that they stand for
    width: int = charts.WIDTH
    height: int = 7 * charts.ROW + 24


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


def sum_of(tallies: Iterable[Tally]) -> Tally:
    total = Tally()
    for tally in tallies:
        total.calls += tally.calls
        total.outcomes.update(tally.outcomes)
        total.unseen += tally.unseen
    return total


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


# What a report says first


def filters_in_words(asked_for: ReportFilter) -> list[tuple[str, str]]:
    """For paper: which days in which zone, compared with which, and every filter that is set."""
    asked, before = asked_for.asked, asked_for.before
    said = [(gettext("Days"), _days(asked.first, asked.last)), (gettext("Time zone"), str(asked.zone))]
    if before:
        said.append((gettext("Compared with"), _days(before.first, before.last)))
    filters = (in_words(asked_for.filter, name) for name in asked_for.filter.asked if name not in DATES)
    return said + [(label, value or gettext("yes")) for label, value in filters]


def headline(now: Tally, before: Tally | None, asked_for: ReportFilter) -> list[Card]:
    link = Links(asked_for)
    calls, rejected, missed, unseen = link.of(now)
    by_rules = link(now.outcomes[Outcome.RULE], outcome=Outcome.RULE.value)
    return [
        Card(gettext("Calls"), thousands(now.calls), calls, _percent_more(now.calls, before.calls if before else None)),
        _share_card(gettext("Rejected by people"), Outcome.REJECTED, rejected, now, before),
        _share_card(gettext("Rejected by rules"), Outcome.RULE, by_rules, now, before),
        Card(
            gettext("Missed"),
            thousands(missed.number),
            missed,
            _more(missed.number, before.outcomes[Outcome.MISSED] if before else None),
        ),
        Card(
            gettext("Nobody saw it"),
            thousands(unseen.number),
            unseen,
            _more(unseen.number, before.unseen if before else None),
        ),
    ]


def ranks(now: Delay, before: Delay | None) -> list[tuple[str, str, str]]:
    """Name of the percentile, its value, and how it changed."""
    return [(name, _length(getattr(now, name)), _faster(now, before, name)) for name in ("p50", "p90", "p99")]


# Calls over time


def outcomes(hours: Hours, asked_for: ReportFilter) -> Chart:
    """Calls by hour, day or week, each column of outcomes; what still rings is on top."""
    link = Links(asked_for)
    ringing = gettext("Not over yet")
    groups = _by_unit(hours, asked_for)
    any_ringing = any(tally.calls > tally.outcomes.total() for _unit, tally in groups)
    legend = [(f"is-{outcome.value}", capfirst(str(outcome.label))) for outcome in Outcome]
    if any_ringing:
        legend.append(("is-ringing", ringing))
    rows = []
    for unit, tally in groups:
        figures = [link(tally.outcomes[outcome], **unit.query, outcome=outcome.value) for outcome in Outcome]
        # Calls of no outcome can't be listed by themselves: the link lists all of that time.
        if any_ringing:
            figures.append(Figure(tally.calls - tally.outcomes.total(), ""))
        rows.append((unit, [link(tally.calls, **unit.query), *figures]))
    geometry = charts.stacked([[part.number for part in row[1:]] for _unit, row in rows], *_labels(groups, asked_for))
    return _chart(geometry, legend, rows, [gettext("Calls"), *(text for _tone, text in legend)], first=1)


def missed_and_unseen(hours: Hours, asked_for: ReportFilter) -> Chart:
    link = Links(asked_for)
    groups = _by_unit(hours, asked_for)
    legend = [("is-missed", gettext("Missed")), ("is-unseen", gettext("Nobody saw it"))]
    rows = [(unit, list(link.of(tally, **unit.query)[2:])) for unit, tally in groups]
    geometry = charts.side_by_side([[part.number for part in row] for _unit, row in rows], *_labels(groups, asked_for))
    return _chart(geometry, legend, rows, [text for _tone, text in legend], first=0)


def heat_map(hours: Hours, asked_for: ReportFilter) -> HeatMap:
    link = Links(asked_for)
    numbers: dict[tuple[int, int], int] = defaultdict(int)
    for (day, hour), tally in hours.items():
        numbers[day.isoweekday(), hour] += tally.calls
    ranges = charts.levels(max(numbers.values(), default=0))
    rows = []
    for weekday in range(1, 8):
        name = str(WEEKDAYS_ABBR[weekday - 1])
        cells = [
            Cell(
                charts.grid_cell(hour, weekday - 1, 24),
                charts.level_of(numbers[weekday, hour], ranges),
                _title(f"{name} {hour}:00", "", numbers[weekday, hour]),
                link(numbers[weekday, hour], weekday=weekday, hour=hour),
            )
            for hour in range(24)
        ]
        rows.append((name, cells))
    legend = [(0, "0")] + [
        (level, thousands(first) if first == last else f"{thousands(first)}–{thousands(last)}")
        for level, (first, last) in enumerate(ranges, 1)
    ]
    by_hour = [(hour, [cells[hour].figure for _name, cells in rows]) for hour in range(24)]
    return HeatMap(rows, by_hour, legend)


# Calls by whom they concern


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
                _percent(tally.calls, total),
            )
            for name, tally, query in shown
        ],
        more=len(ordered) - len(shown),
        full=link.in_full(key),
    )


def _unlinked(figures: Iterable[Figure]) -> list[Figure]:
    return [Figure(figure.number, "") for figure in figures]


# Columns of charts


@dataclass(frozen=True)
class _Unit:
    label: str  # under the axis
    name: str
    query: dict[str, Any]


def _by_unit(hours: Hours, asked_for: ReportFilter) -> list[tuple[_Unit, Tally]]:
    """Every hour, day or week of the period, in order, also those without a call."""
    asked, unit = asked_for.asked, asked_for.unit
    days = [asked.first + timedelta(days=number) for number in range(asked.length)]
    if unit == "hour":
        return [(_hour(day, hour), hours.get((day, hour), Tally())) for day in days for hour in range(24)]
    by_day: dict[date, list[Tally]] = defaultdict(list)
    for (day, _clock), tally in hours.items():
        by_day[day].append(tally)
    stretches = (list(same) for _unit, same in groupby(days, date.toordinal if unit == "day" else _week))
    return [(_stretch(each[0], each[-1]), sum_of(tally for day in each for tally in by_day[day])) for each in stretches]


def _hour(day: date, hour: int) -> _Unit:
    query = {"from": day.isoformat(), "to": day.isoformat(), "hour": hour}
    return _Unit(f"{day:%m-%d}" if hour == 0 else f"{hour}:00", f"{day} {hour}:00", query)


def _stretch(first: date, last: date) -> _Unit:
    return _Unit(f"{first:%m-%d}", _days(first, last), {"from": first.isoformat(), "to": last.isoformat()})


def _week(day: date) -> tuple[int, int]:
    return day.isocalendar()[:2]


def _labels(groups: Sequence[tuple[_Unit, Tally]], asked_for: ReportFilter) -> tuple[int, Sequence[int]]:
    return max(len(unit.label) for unit, _tally in groups), STEPS[asked_for.unit]


def _chart(
    geometry: charts.Columns,
    legend: list[tuple[str, str]],
    rows: Sequence[tuple[_Unit, list[Figure]]],
    head: list[str],
    first: int,
) -> Chart:
    """`first`: the first figure of a row that is drawn."""
    bars = [
        Bar(place, tone, _title(unit.name, text, figure.number), figure.href)
        for (unit, figures), places in zip(rows, geometry.bars, strict=True)
        for place, figure, (tone, text) in zip(places, figures[first:], legend, strict=True)
        if figure.number
    ]
    return Chart(
        geometry=geometry,
        legend=legend,
        bars=bars,
        labels=[(geometry.middles[number], rows[number][0].label) for number in geometry.labelled],
        head=head,
        rows=[(unit.name, figures) for unit, figures in rows],
    )


# Words


def _days(first: date, last: date) -> str:
    if first == last:
        return first.isoformat()
    return gettext("%(first)s to %(last)s") % {"first": first.isoformat(), "last": last.isoformat()}


def _title(when: str, what: str, number: int) -> str:
    calls = ngettext("%(count)s call", "%(count)s calls", number) % {"count": thousands(number)}
    return f"{when} · {what}: {calls}" if what else f"{when}: {calls}"


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f}%" if whole else "—"


def _share_card(label: str, outcome: Call.Outcome, figure: Figure, now: Tally, before: Tally | None) -> Card:
    change = ""
    if before is not None and before.calls and now.calls:
        points = round(100 * (now.outcomes[outcome] / now.calls - before.outcomes[outcome] / before.calls), 1)
        words = {"points": f"{abs(points):.1f}", "before": _percent(before.outcomes[outcome], before.calls)}
        if points > 0:
            change = gettext("%(points)s points more than before (%(before)s)") % words
        elif points < 0:
            change = gettext("%(points)s points less than before (%(before)s)") % words
        else:
            change = gettext("the same share as before")
    return Card(label, _percent(figure.number, now.calls), figure, change)


def _percent_more(now: int, before: int | None) -> str:
    if not before or now == before:
        return _more(now, before)
    percent = 100 * (now - before) / before
    words = {"percent": f"{abs(percent):.1f}", "before": thousands(before)}
    if percent > 0:
        return gettext("%(percent)s%% more than before (%(before)s)") % words
    return gettext("%(percent)s%% fewer than before (%(before)s)") % words


def _more(now: int, before: int | None) -> str:
    if before is None:
        return ""
    words = {"number": thousands(abs(now - before)), "before": thousands(before)}
    if now > before:
        return gettext("%(number)s more than before (%(before)s)") % words
    if now < before:
        return gettext("%(number)s fewer than before (%(before)s)") % words
    return gettext("as many as before")


def _length(milliseconds: int | None) -> str:
    """`38 ms`, `6.2 s`, `12 s`: two significant digits."""
    if milliseconds is None:
        return "—"
    if milliseconds < 1000:
        return gettext("%(ms)s ms") % {"ms": milliseconds}
    digits = 1 if milliseconds < 10_000 else 0
    return gettext("%(seconds)s s") % {"seconds": f"{milliseconds / 1000:.{digits}f}"}


def _faster(now: Delay, before: Delay | None, rank: str) -> str:
    length: int | None = getattr(now, rank)
    earlier: int | None = getattr(before, rank, None)
    if length is None or earlier is None:
        return ""
    if length == earlier:
        return gettext("as fast as before")
    words = {"length": _length(abs(length - earlier)), "before": _length(earlier)}
    if length < earlier:
        return gettext("%(length)s faster than before (%(before)s)") % words
    return gettext("%(length)s slower than before (%(before)s)") % words
