"""Geometry of charts: numbers in, places on a drawing out. It knows no texts and no colours; templates do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

WIDTH, HEIGHT = 640, 250  # as in the drawing's own measure; a letter of its labels is about 9 wide
TOP, BOTTOM, RIGHT = 10, 28, 8
LETTER = 9
MOST_TICKS = 5
GAP = 0.2  # of a column's width
LEVELS = 4
ASIDE = 64  # for what stands beside the rows of a grid
ROW = 30


@dataclass(frozen=True)
class Rectangle:
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Tick:
    at: float
    value: int


@dataclass(frozen=True)
class Columns:
    """`bars`: for each column its parts, in the order given; `labelled`: which columns have room for their label."""

    left: float
    bottom: float
    ticks: list[Tick]
    bars: list[list[Rectangle]]
    middles: list[float]
    labelled: list[int]


def stacked(columns: Sequence[Sequence[int]], longest_label: int, steps: Sequence[int]) -> Columns:
    """Columns whose parts stand upon each other. `steps`: every how many columns a label looks natural, ascending."""
    return _columns([list(parts) for parts in columns], longest_label, steps, on_top=True)


def side_by_side(columns: Sequence[Sequence[int]], longest_label: int, steps: Sequence[int]) -> Columns:
    """Columns whose parts stand beside each other."""
    return _columns([list(parts) for parts in columns], longest_label, steps, on_top=False)


def grid_cell(column: int, row: int, columns: int) -> Rectangle:
    """One cell of a grid with so many columns."""
    each = (WIDTH - ASIDE) / columns
    return _rectangle(ASIDE + column * each + 1.5, row * ROW + 1.5, each - 3, ROW - 3)


def round_ticks(largest: int) -> list[int]:
    """From 0 to at least the largest number, in steps of 1, 2 or 5 times a power of ten."""
    unit = 1
    while True:
        for step in (unit, 2 * unit, 5 * unit):
            if step * MOST_TICKS >= largest:
                return list(range(0, max(step, -(-largest // step) * step) + 1, step))
        unit *= 10


def levels(largest: int) -> list[tuple[int, int]]:
    """The numbers from 1 to the largest in up to four ranges, each with its first and last number."""
    ends = sorted({-(-largest * level // LEVELS) for level in range(LEVELS + 1)})
    return [(before + 1, end) for before, end in pairwise(ends)]


def level_of(number: int, ranges: Sequence[tuple[int, int]]) -> int:
    """Which of these ranges a number lies in, from 1 on; 0 for none."""
    return next((level for level, (first, last) in enumerate(ranges, 1) if first <= number <= last), 0)


def _columns(columns: list[list[int]], longest_label: int, steps: Sequence[int], *, on_top: bool) -> Columns:
    height_of = sum if on_top else max
    ticks = round_ticks(max((height_of(parts) for parts in columns if parts), default=0))
    left = 12 + LETTER * len(f"{ticks[-1]:,}")
    bottom = HEIGHT - BOTTOM
    each = (WIDTH - left - RIGHT) / max(len(columns), 1)
    scale = (bottom - TOP) / ticks[-1]
    bars = []
    for number, parts in enumerate(columns):
        begin, width = left + each * (number + GAP / 2), each * (1 - GAP)
        bars.append(_stack(parts, begin, width, bottom, scale) if on_top else _row(parts, begin, width, bottom, scale))
    step = _step(longest_label * LETTER + LETTER, each, steps)
    return Columns(
        left=left,
        bottom=bottom,
        ticks=[Tick(round(bottom - value * scale, 1), value) for value in ticks],
        bars=bars,
        middles=[round(left + each * (number + 0.5), 1) for number in range(len(columns))],
        labelled=list(range(0, len(columns), step)),
    )


def _stack(parts: list[int], x: float, width: float, bottom: float, scale: float) -> list[Rectangle]:
    rectangles, below = [], 0
    for part in parts:
        below += part
        rectangles.append(_rectangle(x, bottom - below * scale, width, part * scale))
    return rectangles


def _row(parts: list[int], x: float, width: float, bottom: float, scale: float) -> list[Rectangle]:
    each = width / max(len(parts), 1)
    return [_rectangle(x + number * each, bottom - part * scale, each, part * scale) for number, part in enumerate(parts)]


def _rectangle(x: float, y: float, width: float, height: float) -> Rectangle:
    return Rectangle(round(x, 1), round(y, 1), round(width, 1), round(height, 1))


def _step(label: float, each: float, steps: Sequence[int]) -> int:
    """The first of the natural steps that leaves room for a label; beyond them a multiple of the last."""
    for step in steps:
        if step * each >= label:
            return step
    return -(-int(label / each + 1) // steps[-1]) * steps[-1]
