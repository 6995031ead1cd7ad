"""`python -m bench`: arguments, and the order of the runs."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from . import history, ingest, live, report, servers

T = TypeVar("T")


def main() -> int:
    """The exit code: 0, or 1 where something was lost, refused or could not be run, 130 where it was interrupted."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.what is None:
        parser.print_help()
        return 0
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # ends what was started, as Ctrl-C does
    try:
        return _measure(arguments)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except servers.CantMeasure as problem:
        print(problem, file=sys.stderr)
        return 1


def _measure(arguments: argparse.Namespace) -> int:
    results = report.Results(report.machine())
    if arguments.what in {"ingest", "all"}:
        ingest.measure(results, arguments.seconds, arguments.pages)
    if arguments.what in {"live", "all"}:
        live.measure(results, arguments.seconds, arguments.pages)
    if arguments.what == "history":
        history.measure(results, arguments.calls, arguments.engine, arguments.keep)
    print(report.as_text(results))
    if arguments.json:
        arguments.json.write_text(report.as_json(results))
    return 1 if results.problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure Ringdesk beside bare code that does the same work, turn by turn, on this machine.",
    )
    parser.add_argument(
        "what",
        nargs="?",
        choices=["ingest", "live", "all", "history"],
        help="ingest: callbacks in; live: from the callback to the last open page, start and memory; all: both of these; "
        "history: history, search, reports and export over millions of calls, which takes much longer",
    )
    parser.add_argument("--seconds", type=_up_to(60, float), default=3.0, help="length of one run (default 3, at most 60)")
    parser.add_argument("--pages", type=_up_to(1000, int), default=100, help="open pages (default 100, at most 1000)")
    parser.add_argument(
        "--calls", type=_list_of(int), default=history.SIZES, help="history: sizes (default 10000,1000000,5000000)"
    )
    parser.add_argument(
        "--engine", type=_list_of(history.engine), default=history.ENGINES, help="history: sqlite, postgresql or both"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="history: keep the histories there, and use them again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every turn to this file as well")
    return parser


def _up_to(limit: float, kind: type[float]) -> Callable[[str], float]:
    def number(text: str) -> float:
        value = kind(text)
        if not 0 < value <= limit:
            raise argparse.ArgumentTypeError(f"{text} is not above 0 and at most {limit}")
        return value

    return number


def _list_of(kind: Callable[[str], T]) -> Callable[[str], list[T]]:
    def values(text: str) -> list[T]:
        return [kind(word) for word in text.split(",")]

    return values


if __name__ == "__main__":
    sys.exit(main())
