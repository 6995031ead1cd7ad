"""Charts of a report: calls over time and in the week, drawn, and the same figures as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

from django.utils.dates import WEEKDAYS_ABBR
from django.utils.text import capfirst
from django.utils.translation import gettext

from calls.models import Call
from calls.reports import Tally
from calls.templatetags.ringdesk import thousands

from .. import charts
from .report_figures import Figure, Links, sum_of
from .report_filter import ReportFilter
from .report_words import days_in_words, title_of

Hours = Mapping[tuple[date, int], Tally]
Outcome = Call.Outcome

# Every how many hours, days or weeks a label looks natural.
STEPS = {"hour": (1, 2, 3, 6, 12, 24), "day": (1, 2, 7, 14, 28), "week": (1, 2, 4, 8, 13)}


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
                title_of(f"{name} {hour}:00", "", numbers[weekday, hour]),
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
    return _Unit(f"{first:%m-%d}", days_in_words(first, last), {"from": first.isoformat(), "to": last.isoformat()})


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
        Bar(place, tone, title_of(unit.name, text, figure.number), figure.href)
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
