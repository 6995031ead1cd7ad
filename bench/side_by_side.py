"""Cases that are the same for every server that shows calls on pages: each is measured in turn, on a new installation."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import uvloop

from . import subjects
from .options import Options
from .report import Figures, Results, Row, progress
from .servers import NotHere
from .subjects import Subject

Name = Literal["broadcast", "nchan"]
REFERENCES: dict[Name, Callable[[Path, int], AbstractContextManager[Subject]]] = {
    "broadcast": subjects.broadcast,
    "nchan": subjects.nchan_broadcast,
}
CARD_BYTES = "card bytes"  # a figure that a measurement gives besides: references are given messages of this length


@dataclass
class Compared:
    rows: dict[Name, Row]
    missing: dict[Name, str] = field(default_factory=dict)  # references that are not here, and what to do

    def table_rows(self) -> list[Row]:
        return [row for name, row in self.rows.items() if name not in self.missing]


def side_by_side(
    results: Results,
    options: Options,
    what: str,
    measure: Callable[[Subject], Coroutine[Any, Any, Figures]],
    names: Sequence[Name],
    ringdesk: Callable[[Path], AbstractContextManager[Subject]] = subjects.ringdesk,
) -> Compared:
    """Measure Ringdesk and then the references, and all of them again for each turn."""
    compared = Compared({name: Row(what, name) for name in names})
    for turn in range(1, options.turns + 1):
        progress(f"{what}, turn {turn} of {options.turns}")
        with TemporaryDirectory(prefix="ringdesk-bench-") as folder, ringdesk(Path(folder)) as subject:
            figures = uvloop.run(measure(subject))
            if subject.installation:
                results.machine["ringdesk"] = subject.installation.settings()
        for name, row in compared.rows.items():
            row.add("ringdesk", figures)
            try:
                with (
                    TemporaryDirectory(prefix="ringdesk-bench-") as folder,
                    REFERENCES[name](Path(folder), round(figures[CARD_BYTES])) as subject,
                ):
                    row.add("reference", uvloop.run(measure(subject)))
            except NotHere as reason:
                compared.missing[name] = str(reason)
                results.missing.add(str(reason))
    return compared
