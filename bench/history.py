"""History, search, reports and export over made-up histories of several sizes, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from . import postgres
from .report import Goal, Results, Row, Table, progress
from .servers import ROOT, CantMeasure

Engine = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SIZES = (10_000, 1_000_000, 5_000_000)
SEED = "1"
TURNS = 7  # of each case; fewer of slow ones

# Goals
SLOWER_AT_MOST = 2.0  # times its own time at the smallest size
EXPORTED = 50_000  # rows a second
EXPORT_MEMORY = 150  # MiB


def engine(text: str) -> Engine:
    """Raises: ValueError."""
    return ENGINES[ENGINES.index(text)]


@dataclass(frozen=True)
class Installation:
    """One history, in a data folder of its own."""

    engine: Engine
    calls: int
    folder: Path
    database: str  # as DATABASE_URL

    @property
    def size(self) -> str:
        return f"{self.calls:,}"

    def make(self) -> None:
        """Unless it was made before, and kept; then it is brought up to date."""
        made = self.folder / "made"
        self.folder.mkdir(parents=True, exist_ok=True)
        if made.exists():
            self._run("manage.py", "migrate", "--verbosity", "0")
            return
        progress(f"history: making {self.size} calls on {NAMES[self.engine]}")
        self._run("manage.py", "make_history", "--calls", str(self.calls), "--seed", SEED)
        made.touch()

    def probe(self, what: Literal["pages", "export"]) -> Iterator[dict[str, Any]]:
        """What bench.probe says of each case, as it says it."""
        command = [sys.executable, "-m", "bench.probe", what, str(TURNS)]
        with subprocess.Popen(command, cwd=ROOT, env=self._environment, stdout=subprocess.PIPE, text=True) as process:
            try:
                for line in process.stdout or ():
                    yield json.loads(line)
            finally:
                process.terminate()
        if process.returncode > 0:
            raise CantMeasure(f"bench.probe {what} failed on {NAMES[self.engine]} at {self.size} calls")

    def _run(self, *arguments: str) -> None:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise CantMeasure(f"{' '.join(arguments[:2])} failed")

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "DATA_DIR": str(self.folder), "DATABASE_URL": self.database}


@dataclass
class Case:
    """One of the probe's, at every size."""

    row: Row
    at_most: float  # milliseconds
    medians: dict[int, float] = field(default_factory=dict)  # by size: milliseconds


def measure(results: Results, sizes: Sequence[int], engines: Sequence[Engine], kept_in: Path | None) -> None:
    """Add two tables for each engine, and the goals.

    kept_in: a folder for the histories, which stay there for the next time; None: a temporary one.
    """
    results.machine["turns"] = TURNS
    with data_folder(kept_in) as folder:
        for engine in engines:
            with _installations(engine, sorted(sizes), folder) as installations:
                _measure(results, engine, installations)


@contextmanager
def data_folder(kept_in: Path | None = None) -> Iterator[Path]:
    """This folder, or one that is thrown away."""
    if kept_in is not None:
        yield kept_in.resolve()
        return
    with TemporaryDirectory(prefix="ringdesk-bench-") as name:
        Path(name).chmod(0o711)  # PostgreSQL runs as somebody else where we are root
        yield Path(name)


@contextmanager
def _installations(engine: Engine, sizes: Sequence[int], folder: Path) -> Iterator[list[Installation]]:
    if engine == "sqlite":
        yield [Installation(engine, calls, folder / f"sqlite-{calls}", "") for calls in sizes]
        return
    with postgres.running(folder / "postgresql") as server:
        for calls in sizes:
            server.make_database(f"history_{calls}")
        yield [
            Installation(engine, calls, folder / f"postgresql-{calls}", server.url(f"history_{calls}")) for calls in sizes
        ]


def _measure(results: Results, engine: Engine, installations: Sequence[Installation]) -> None:
    sizes = tuple(each.size for each in installations)
    cases: dict[str, Case] = {}
    exports = Table(f"Export as CSV on {NAMES[engine]}, rows a second", sizes)
    for installation in installations:
        installation.make()
        for figures in installation.probe("pages"):
            _note(results, installation, figures, cases)
        _note_export(results, installation, exports)
    pages = Table(f"History on {NAMES[engine]}, ms of server time, by calls", sizes)
    pages.rows += [case.row for case in cases.values()]
    results.tables += [table for table in (pages, exports) if table.rows]
    results.goals += [_goal(engine, case) for case in cases.values() if case.medians]


def _note(results: Results, installation: Installation, figures: dict[str, Any], cases: dict[str, Case]) -> None:
    what = figures["what"]
    progress(f"history: {NAMES[installation.engine]}, {installation.size}: {what}")
    if problem := figures.get("problem"):
        results.problems.append(f"{NAMES[installation.engine]}, {installation.size} calls, {what}: {problem}")
    if not figures.get("ringdesk"):
        return
    case = cases.setdefault(what, Case(Row(what), figures["at most"]))
    case.medians[installation.calls] = median(figures["ringdesk"])
    for ringdesk, bare in zip(figures["ringdesk"], figures["bare"], strict=True):
        case.row.add("ringdesk", {installation.size: ringdesk})
        case.row.add("reference", {installation.size: bare})


def _goal(engine: Engine, case: Case) -> Goal:
    """As fast as it has to be at the largest size, and not much slower than at the smallest."""
    smallest, largest = min(case.medians), max(case.medians)
    took, times = case.medians[largest], case.medians[largest] / case.medians[smallest]
    compared = f", {times:.1f} times that at {smallest:,}" if largest > smallest else ""
    return Goal(
        what=f"{NAMES[engine]}, {case.row.what}",
        goal=f"{case.at_most:.0f} ms, {SLOWER_AT_MOST:.0f} times",
        measured=f"{took:.1f} ms at {largest:,}{compared}",
        reached=took <= case.at_most and times <= SLOWER_AT_MOST,
    )


def _note_export(results: Results, installation: Installation, table: Table) -> None:
    for figures in installation.probe("export"):
        where = f"{NAMES[installation.engine]}, {installation.size} calls, export"
        if problem := figures.get("problem"):
            results.problems.append(f"{where}: {problem}")
            return
        if figures["rows"] != figures["bare rows"]:
            results.problems.append(f"{where}: {figures['rows']} rows, but there are {figures['bare rows']} calls")
        if not table.rows:
            table.rows.append(Row("all calls"))
        table.rows[0].add("ringdesk", {installation.size: figures["rows/s"]})
        table.rows[0].add("reference", {installation.size: figures["bare rows/s"]})
        results.goals.append(
            Goal(
                what=where,
                goal=f"{EXPORTED:,} rows/s, {EXPORT_MEMORY} MiB",
                measured=f"{figures['rows/s']:,.0f} rows/s, {figures['peak MiB']:.0f} MiB",
                reached=figures["rows/s"] >= EXPORTED and figures["peak MiB"] < EXPORT_MEMORY,
            )
        )
