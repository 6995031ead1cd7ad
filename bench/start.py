"""From starting the process to being ready."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory

from .goals import Wanted
from .options import Options
from .report import Results, Row, Table, progress
from .servers import Ringdesk, reference


def measure(results: Results, options: Options) -> None:
    """On a new data folder, where the database is made first, and again on the same; beside a bare ASGI function."""
    first, later = Row("first start, database made", "answer"), Row("later starts", "answer")
    for turn in range(1, options.turns + 1):
        progress(f"start, turn {turn} of {options.turns}")
        with TemporaryDirectory(prefix="ringdesk-bench-") as name:
            ringdesk = Ringdesk(Path(name))
            for row in (first, later):
                with ringdesk.running() as server:
                    row.add("ringdesk", {"s": server.seconds_to_ready})
                with reference("answer", Path(name)) as server:
                    row.add("reference", {"s": server.seconds_to_ready})
            results.machine["ringdesk"] = ringdesk.settings()
    results.tables.append(Table("Start to ready", ("s",), [first, later]))
    Wanted.START.judge(results, first.median("ringdesk", "s"))
