"""History, search, reports and export over made-up histories of several sizes, on SQLite and PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal, get_args

from . import postgres
from .report import SIDES, Goal, Results, Row, Table, progress
from .servers import ROOT, CantMeasure

Engine = Literal["sqlite", "postgresql"]
ENGINES: tuple[Engine, ...] = get_args(Engine)
NAMES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}
SIZES = (10_000, 1_000_000, 5_000_000)
SEED = "1"
TURNS = 7  # of each case
ENOUGH = 30.0  # seconds for the turns of one case: a slow one gets fewer,
AT_LEAST = 2

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

    def __str__(self) -> str:
        return f"{NAMES[self.engine]}, {self.size} calls"

    def make(self) -> None:
        """Unless it was made before, and kept; then it is brought up to date."""
        made = self.folder / "made"
        self.folder.mkdir(parents=True, exist_ok=True)
        if made.exists():
            self._run("manage.py", "migrate", "--verbosity", "0")
            return
        progress(f"history: making up {self}")
        self._run("manage.py", "make_history", "--calls", str(self.calls), "--seed", SEED)
        made.touch()

    @contextmanager
    def probe(self, what: Literal["pages", "export"]) -> Iterator[Probe]:
        command = [sys.executable, "-m", "bench.probe", what]
        process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        with process:
            try:
                yield Probe(self, process)
            finally:
                process.terminate()

    def _run(self, *arguments: str) -> None:
        command = [sys.executable, *arguments]
        done = subprocess.run(command, cwd=ROOT, env=self._environment, stdout=subprocess.DEVNULL, check=False)
        if done.returncode != 0:
            raise CantMeasure(f"{' '.join(arguments[:2])} failed")

    @property
    def _environment(self) -> dict[str, str]:
        return {"PATH": os.environ["PATH"], "DATA_DIR": str(self.folder), "DATABASE_URL": self.database}


class Probe:
    """bench.probe at work on a history."""

    def __init__(self, installation: Installation, process: subprocess.Popen[str]) -> None:
        self.installation = installation
        self._process = process

    def ask(self, text: str) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()
        return self.listen()

    def listen(self) -> dict[str, Any]:
        """Raises: CantMeasure where it has come to an end."""
        assert self._process.stdout
        if not (line := self._process.stdout.readline()):
            raise CantMeasure(f"bench.probe failed on {self.installation}")
        answer: dict[str, Any] = json.loads(line)
        return answer


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
    for installation in installations:
        installation.make()
    sizes = tuple(each.size for each in installations)
    pages = Table(f"History on {NAMES[engine]}, ms of server time, by calls", sizes)
    exports = Table(f"Export as CSV on {NAMES[engine]}, rows a second", sizes, [Row("all calls")])
    with ExitStack() as stack:
        probes = [stack.enter_context(installation.probe("pages")) for installation in installations]
        cases = [probe.listen()["cases"] for probe in probes][0]  # the same of all
        for number, case in enumerate(cases):
            progress(f"history: {NAMES[engine]}, {case['what']}")
            row, rows = _turns(results, probes, number, case["what"])
            pages.rows.append(row)
            results.goals += _goals(engine, row, case["at most"], rows)
    for installation in installations:
        progress(f"history: {installation}, export")
        _note_export(results, installation, exports.rows[0])
    results.tables += [pages, exports]


def _turns(results: Results, probes: Sequence[Probe], number: int, what: str) -> tuple[Row, dict[str, int]]:
    """One case, at all sizes in turn: what else the machine is doing slows them all.

    Returns: its figures, and how many calls the page showed, by size.
    """
    row, rows, measurable = Row(what), {}, []
    for probe in probes:
        checked = probe.ask(f"check {number}")
        if "problem" in checked:
            results.problems.append(f"{probe.installation}, {what}: {checked['problem']}")
        if checked["measurable"]:
            measurable.append(probe)
            rows[probe.installation.size] = checked["rows"]
    until = time.monotonic() + ENOUGH
    for turn in range(TURNS):
        if turn >= AT_LEAST and time.monotonic() > until:
            break
        for probe in measurable:
            milliseconds = probe.ask(f"turn {number}")
            for side in SIDES:
                row.add(side, {probe.installation.size: milliseconds[side]})
    return row, rows


def _goals(engine: Engine, row: Row, at_most: float, rows: dict[str, int]) -> Iterator[Goal]:
    """As fast as it has to be at the largest size, and not much slower than at the smallest that shows as many calls."""
    medians = {size: row.median("ringdesk", size) or 0.0 for size in rows}
    if not medians:
        return
    largest = list(rows)[-1]
    smallest = next(size for size in rows if rows[size] == rows[largest])
    times = medians[largest] / medians[smallest]
    compared = f", {times:.1f} times that at {smallest}" if smallest != largest else ""
    yield Goal(
        what=f"{NAMES[engine]}, {row.what}",
        goal=f"{at_most:.0f} ms, {SLOWER_AT_MOST:.0f} times",
        measured=f"{medians[largest]:.1f} ms at {largest}{compared}",
        reached=medians[largest] <= at_most and times <= SLOWER_AT_MOST,
    )


def _note_export(results: Results, installation: Installation, row: Row) -> None:
    with installation.probe("export") as probe:
        figures = probe.listen()
    if "problem" in figures:
        results.problems.append(f"{installation}, export: {figures['problem']}")
        return
    if figures["rows"] != figures["bare rows"]:
        results.problems.append(
            f"{installation}, export: {figures['rows']} rows, but there are {figures['bare rows']} calls"
        )
    for side in SIDES:
        row.add(side, {installation.size: figures[side]})
    results.goals.append(
        Goal(
            what=f"{installation}, export",
            goal=f"{EXPORTED:,} rows/s, {EXPORT_MEMORY} MiB",
            measured=f"{figures['ringdesk']:,.0f} rows/s, {figures['peak MiB']:.0f} MiB",
            reached=figures["ringdesk"] >= EXPORTED and figures["peak MiB"] < EXPORT_MEMORY,
        )
    )
