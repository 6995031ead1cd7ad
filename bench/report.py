"""Figures: how they are kept, summed up, and written as tables and as JSON."""

from __future__ import annotations

import json
import os
import platform
import sqlite3
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median, quantiles
from typing import Literal, get_args

TURNS = 3

Side = Literal["ringdesk", "reference"]
SIDES: tuple[Side, ...] = get_args(Side)
Figures = dict[str, float]  # by what was measured, with its unit


@dataclass
class Row:
    """One case: the figures of each turn, of Ringdesk and of the reference beside it."""

    what: str
    turns: dict[Side, list[Figures]] = field(default_factory=lambda: {"ringdesk": [], "reference": []})

    def add(self, side: Side, figures: Figures) -> None:
        self.turns[side].append(figures)

    def median(self, side: Side, name: str) -> float | None:
        """Over the turns; None where this side has nothing of the kind."""
        values = [turn[name] for turn in self.turns[side] if name in turn]
        return median(values) if values else None

    def ratio(self, name: str) -> float | None:
        """Ringdesk's median by the reference's."""
        ringdesk, reference = self.median("ringdesk", name), self.median("reference", name)
        return ringdesk / reference if ringdesk is not None and reference else None


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
    reached: bool


@dataclass
class Results:
    machine: dict[str, object]
    tables: list[Table] = field(default_factory=list)
    goals: list[Goal] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)  # anything lost or refused


def machine() -> dict[str, object]:
    """What the figures were measured on."""
    return {
        "cores": len(os.sched_getaffinity(0)),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "turns": TURNS,
    }


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
    if results.problems:
        lines += ["", "PROBLEMS", *results.problems]
    else:
        lines += ["", "Nothing was lost."]
    return "\n".join(lines)


def as_json(results: Results) -> str:
    tables = [
        {
            "title": table.title,
            "rows": [{"what": row.what, "medians": _medians(row, table.figures), "turns": row.turns} for row in table.rows],
        }
        for table in results.tables
    ]
    goals = [asdict(goal) for goal in results.goals]
    figures = {"machine": results.machine, "tables": tables, "goals": goals, "problems": results.problems}
    return json.dumps(figures, indent=2) + "\n"


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
    first = max(len(row.what) for row in table.rows) + 2
    above = " " * first + "".join(f"{name:^28}  " for name in table.figures)
    names = " " * first + f"{'Ringdesk':>10}{'bare':>10}{'ratio':>8}  " * len(table.figures)
    lines = [table.title, above.rstrip(), names.rstrip()]
    for row in table.rows:
        line = f"{row.what:<{first}}"
        for ringdesk, reference, ratio in (figure.values() for figure in _medians(row, table.figures).values()):
            line += f"{_number(ringdesk):>10}{_number(reference):>10}{'' if ratio is None else f'{ratio:.2f}':>8}  "
        lines.append(line.rstrip())
    return lines


def _goals(goals: Sequence[Goal]) -> list[str]:
    first, second = (max(len(text) for text in texts) + 2 for texts in zip(*((g.what, g.goal) for g in goals), strict=True))
    reached = sum(goal.reached for goal in goals)
    lines = [f"Goals: {reached} of {len(goals)} reached"]
    for goal in goals:
        lines.append(f"{goal.what:<{first}}{goal.goal:<{second}}{'reached' if goal.reached else 'MISSED'}  {goal.measured}")
    return lines


def _number(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"
