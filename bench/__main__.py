"""`python -m bench`: arguments, and the order of the runs."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TypeVar

from . import burst, cost, healthchecks, history, ingest, live, memory, nchan, rejects, report, soak, start, stuck
from .goals import Wanted
from .options import HEALTHCHECKS, TURNS, Options
from .report import Results
from .servers import CantMeasure, NotHere

T = TypeVar("T")

# What `all` measures, in this order
CASES: dict[str, tuple[Callable[[Results, Options], None], str]] = {
    "start": (start.measure, "from the start to being ready"),
    "ingest": (ingest.measure, "callbacks in"),
    "live": (live.measure, "callback to the last of 500 pages, at 10 a second"),
    "burst": (burst.measure, "deliveries a second on 500 pages"),
    "rejects": (rejects.measure, "click to the vendor, and the vendor's answer to the last of 500 pages"),
    "stuck": (stuck.measure, "callbacks in while 200 rejects are stuck at the vendor"),
    "memory": (memory.measure, "memory with 500 pages open"),
    "crowd": (live.measure_crowd, "1,000 pages, 50 calls a second, a minute"),
    "soak": (soak.measure, "an hour's load in ten minutes"),
}


def main() -> int:
    """The exit code: 0, or 1 where something was lost, refused or could not be run, 130 where it was interrupted."""
    parser = _parser()
    arguments = parser.parse_args()
    if arguments.what is None:
        parser.print_help()
        return 0
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell has its background jobs ignore it
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))  # ends what was started, as Ctrl-C does
    try:
        return _install(arguments) if arguments.what == "install" else _measure(arguments)
    except KeyboardInterrupt:
        print("Interrupted.", file=sys.stderr)
        return 130
    except CantMeasure as problem:
        print(problem, file=sys.stderr)
        return 1


def _measure(arguments: argparse.Namespace) -> int:
    options = Options(
        seconds=arguments.seconds,
        pages=arguments.pages,
        turns=arguments.turns,
        minutes=arguments.minutes or (soak.MINUTES_IN_ALL if arguments.what == "all" else None),
        healthchecks=arguments.healthchecks.resolve(),
    )
    results = Results(report.machine() | {"turns": options.turns})
    for name, (measure, _) in CASES.items():
        if arguments.what in (name, "all"):
            try:
                measure(results, options)
            except CantMeasure as problem:  # the other cases may do
                results.problems.append(f"{name}: {problem}")
    if arguments.what == "cost":
        cost.measure(results, options)
    if arguments.what == "history":
        history.measure(results, arguments.calls, arguments.engine, arguments.keep)
    print(report.as_text(results))
    if arguments.markdown:
        print(f"\n{report.as_markdown(results.goals)}")
    if arguments.json:
        arguments.json.write_text(report.as_json(results))
    return 1 if results.problems else 0


def _install(arguments: argparse.Namespace) -> int:
    failed = 0
    checkout = arguments.healthchecks.resolve()
    for name, folder, install in (
        ("nginx with nchan", nchan.FOLDER, nchan.install),
        ("healthchecks", checkout, partial(healthchecks.install, checkout)),
    ):
        try:
            install()
            print(f"{name} is in {folder}.")
        except NotHere as reason:
            print(f"{name} could not be installed: {reason}", file=sys.stderr)
            failed = 1
    return failed


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure Ringdesk beside references that do the same work, turn by turn, on this machine.",
        epilog=_epilog(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "what", nargs="?", choices=[*CASES, "all", "cost", "history", "install"], metavar="NAME", help="see below"
    )
    parser.add_argument("--seconds", type=_up_to(60, float), help="length of one run (default: as each goal asks)")
    parser.add_argument("--pages", type=_up_to(1000, int), help="open pages (default: as each goal asks)")
    parser.add_argument(
        "--turns", type=_up_to(9, int), default=TURNS, help="how often each is measured (default %(default)s)"
    )
    parser.add_argument(
        "--minutes", type=_up_to(60, float), help=f"soak: its length ({soak.MINUTES:g}; in all: {soak.MINUTES_IN_ALL:g})"
    )
    parser.add_argument(
        "--healthchecks", type=Path, metavar="DIR", default=HEALTHCHECKS, help="a checkout of it (default %(default)s)"
    )
    parser.add_argument(
        "--calls", type=_list_of(int), default=history.SIZES, help="history: sizes (default 10000,1000000,5000000)"
    )
    parser.add_argument(
        "--engine", type=_list_of(history.engine), default=history.ENGINES, help="history: sqlite, postgresql or both"
    )
    parser.add_argument("--keep", type=Path, metavar="DIR", help="history: keep the histories there, and use them again")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures of every turn to this file as well")
    parser.add_argument("--markdown", action="store_true", help="print the goals as a Markdown table as well")
    return parser


def _epilog() -> str:
    """What there is to measure, and the goals."""
    names = {name: what for name, (_, what) in CASES.items()} | {
        "all": "all of these, which takes about 20 minutes",
        "cost": "what each thing costs the processor, on SQLite and on PostgreSQL and Redis; for no goal",
        "history": "history, search, reports and export over millions of calls, which takes much longer",
        "install": "bring nginx with nchan and healthchecks here, as references",
    }
    lines = ["NAME is one of:", *(f"  {name:<10}{what}" for name, what in names.items()), "", "The goals:"]
    lines += [f"  {wanted.case:<10}{wanted.what}: {wanted.limit}" for wanted in Wanted]
    return "\n".join([*lines, "  history   of each page, report and export, in bench/history.py"])


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
