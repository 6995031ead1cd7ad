"""Figures: how they are kept, summed up, and written as tables, as JSON and as Markdown."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median, quantiles
from typing import Literal, get_args

Side = Literal["ringdesk", "reference"]
SIDES: tuple[Side, ...] = get_args(Side)
Figures = dict[str, float]  # by what was measured, with its unit


@dataclass
class Row:
    """One case: the figures of each turn, of Ringdesk and of the reference beside it."""

    what: str
    beside: str = ""  # the reference's name
    turns: dict[Side, list[Figures]] = field(default_factory=lambda: {"ringdesk": [], "reference": []})

    def add(self, side: Side, figures: Figures) -> None:
        self.turns[side].append(figures)

    def median(self, side: Side, name: str) -> float | None:
        """Over the turns; None where this side has nothing of the kind."""
        values = [turn[name] for turn in self.turns[side] if name in turn]
        return median(values) if values else None

    def total(self, name: str) -> float | None:
        """Of Ringdesk's turns; None where it has nothing of the kind."""
        values = [turn[name] for turn in self.turns["ringdesk"] if name in turn]
        return sum(values) if values else None

    def ratio(self, name: str) -> float | None:
        """Ringdesk's median by the reference's."""
        ringdesk, reference = self.median("ringdesk", name), self.median("reference", name)
        return ringdesk / reference if ringdesk is not None and reference else None

    def __str__(self) -> str:
        return f"{self.what} / {self.beside}" if self.beside else self.what


@dataclass
class Table:
    title: str
    figures: tuple[str, ...]  # the columns, as they are named in Figures
    rows: list[Row] = field(default_factory=list)


@dataclass(frozen=True)
class Goal:
    what: str
    goal: str
    measured: str
    reached: bool | None  # None: it could not be measured, and `measured` says why

    @property
    def verdict(self) -> str:
        return "not measured" if self.reached is None else "reached" if self.reached else "MISSED"


@dataclass
class Results:
    machine: dict[str, object]
    tables: list[Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # anything lost or refused
    missing: set[str] = field(default_factory=set)  # references that are not here, and what to do


def machine() -> dict[str, object]:
    """What the figures are measured on, and how busy it is with something else."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "processor": _after("model name", Path("/proc/cpuinfo")),
        "memory": _after("MemTotal", Path("/proc/meminfo")),
        "system": platform.platform(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "load before": ", ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def _after(name: str, file: Path) -> str:
    """What the first line that begins with this name says."""
    lines = (line.partition(":") for line in file.read_text().splitlines())
    return next((value.strip() for found, _, value in lines if found.strip() == name), "?")


def spread(seconds: Sequence[float]) -> Figures:
    """Median and 99th percentile of some times, in milliseconds; nothing where there are none."""
    if not seconds:
        return {}
    seconds = [*seconds, seconds[-1]] if len(seconds) == 1 else seconds  # what `quantiles` needs
    return {"p50 ms": median(seconds) * 1000, "p99 ms": quantiles(seconds, n=100, method="inclusive")[98] * 1000}


def progress(text: str) -> None:
    """Say what is being measured, apart from the figures."""
    print(text, file=sys.stderr, flush=True)


def as_text(results: Results) -> str:
    lines = [f"{name}: {_in_words(value)}" for name, value in results.machine.items()]
    for table in results.tables:
        lines += ["", *_table(table)]
    if results.goals:
        lines += ["", *_goals(results.goals)]
    if results.missing:
        lines += ["", *sorted(results.missing)]
    if results.problems:
        lines += ["", "PROBLEMS", *results.problems]
    else:
        lines += ["", "Nothing was lost."]
    return "\n".join(lines)


def as_json(results: Results) -> str:
    tables = [
        {"title": table.title, "rows": [_row_as_json(row, table.figures) for row in table.rows]} for table in results.tables
    ]
    figures = {
        "machine": results.machine,
        "tables": tables,
        "goals": [asdict(goal) for goal in results.goals],
        "missing": sorted(results.missing),
        "problems": results.problems,
    }
    return json.dumps(figures, indent=2) + "\n"


def as_markdown(goals: Sequence[Goal]) -> str:
    """The goals as a table for a page."""
    lines = ["| what | goal | measured | |", "|---|---|---|---|"]
    return "\n".join(lines + [f"| {goal.what} | {goal.goal} | {goal.measured} | {goal.verdict} |" for goal in goals])


def _row_as_json(row: Row, figures: Sequence[str]) -> dict[str, object]:
    return {"what": row.what, "beside": row.beside, "medians": _medians(row, figures), "turns": row.turns}


def _in_words(value: object) -> str:
    return ", ".join(f"{name} {inner}" for name, inner in value.items()) if isinstance(value, dict) else str(value)


def _medians(row: Row, figures: Sequence[str]) -> dict[str, dict[str, float | None]]:
    return {
        name: {
            "ringdesk": row.median("ringdesk", name),
            "reference": row.median("reference", name),
            "ratio": row.ratio(name),
        }
        for name in figures
    }


def _table(table: Table) -> list[str]:
    """Three columns a figure: Ringdesk, the reference, and the ratio of the two. Medians over the turns."""
    first = max(len(str(row)) for row in table.rows) + 2
    if not any(row.turns["reference"] for row in table.rows):
        return _table_of_one_side(table, first)
    above = " " * first + "".join(f"{name:^28}  " for name in table.figures)
    names = " " * first + f"{'Ringdesk':>10}{'beside':>10}{'ratio':>8}  " * len(table.figures)
    lines = [table.title, above.rstrip(), names.rstrip()]
    for row in table.rows:
        line = f"{row!s:<{first}}"
        for ringdesk, reference, ratio in (figure.values() for figure in _medians(row, table.figures).values()):
            line += f"{number(ringdesk):>10}{number(reference):>10}{'' if ratio is None else f'{ratio:.2f}':>8}  "
        lines.append(line.rstrip())
    return lines


def _table_of_one_side(table: Table, first: int) -> list[str]:
    lines = [table.title, " " * first + "".join(f"{name:>16}" for name in table.figures)]
    for row in table.rows:
        lines.append(f"{row!s:<{first}}" + "".join(f"{number(row.median('ringdesk', name)):>16}" for name in table.figures))
    return lines


def _goals(goals: Sequence[Goal]) -> list[str]:
    first, second = (max(len(text) for text in texts) + 2 for texts in zip(*((g.what, g.goal) for g in goals), strict=True))
    reached = sum(goal.reached is True for goal in goals)
    lines = [f"Goals: {reached} of {len(goals)} reached"]
    for goal in goals:
        lines.append(f"{goal.what:<{first}}{goal.goal:<{second}}{goal.verdict:<14}{goal.measured}")
    return lines


def number(value: float | None) -> str:
    if value is None:
        return "-"
    if value >= 100 or value == int(value):
        return f"{value:.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.2f}"
