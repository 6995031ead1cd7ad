"""The benchmark, in short: floors so low that noise doesn't reach them, and a change that halves a figure does.

They compare what servers take of the processor, which other work on the machine hardly changes. How long things take is for
`python -m bench`.
"""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from bench import burst, ingest, live, rejects, soak
from bench.__main__ import CASES
from bench.goals import Wanted
from bench.options import Options
from bench.report import SIDES, Results, Row, as_json, as_markdown, as_text

from .installation import ROOT

pytestmark = pytest.mark.engineless  # it has its own

DOCUMENTED = re.compile(r"^\| (\w+) \| (.+) \| (at (?:least|most) .+) \|$", re.MULTILINE)

# Times what the bare reference takes of the processor: 1.8 times what was measured
CALL_AT_MOST = 2.9
CHAT_AT_MOST = 5.5
DELIVERY_AT_MOST = 3.3


def times_the_reference(row: Row, figure: str) -> float:
    """By the cheapest turn of each side: what else the machine does can only add."""
    ringdesk, reference = (min(turn[figure] for turn in row.turns[side]) for side in SIDES)
    return ringdesk / reference


def test_a_callback_costs_at_most_so_many_times_what_the_bare_one_does() -> None:
    results = Results({})
    rows, _ = ingest.compare(results, Options(seconds=0.7, turns=2), [ingest.NEW_CALL, ingest.CHAT])
    assert results.problems == []
    assert times_the_reference(rows[ingest.NEW_CALL], "CPU µs") < CALL_AT_MOST, as_text(results)
    assert times_the_reference(rows[ingest.CHAT], "CPU µs") < CHAT_AT_MOST, as_text(results)


def test_a_delivery_costs_at_most_so_many_times_what_the_bare_one_does() -> None:
    results = Results({})
    burst.measure(results, Options(pages=100, turns=1))
    assert results.problems == []
    assert times_the_reference(results.tables[0].rows[0], "CPU µs a delivery") < DELIVERY_AT_MOST, as_text(results)


def test_clicks_are_measured_from_the_page_to_the_vendor_and_back() -> None:
    results = Results({})
    rejects.measure(results, Options(seconds=1, pages=5, turns=1))
    assert results.problems == []
    clicks, answers = results.tables
    assert all((row.median("ringdesk", "p50 ms") or 0) > 0 for row in clicks.rows + answers.rows)
    assert {goal.what for goal in results.goals} == {wanted.what for wanted in Wanted if wanted.case == "rejects"}


def test_a_soak_finds_all_that_was_answered_stored_and_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(soak, "SAMPLED_EVERY", 1.0)
    results = Results({})
    soak.measure(results, Options(pages=5, minutes=0.1))
    assert results.problems == []
    assert len(results.tables[0].rows) == 6
    assert "soak" in as_text(results).lower()


def test_what_is_lost_is_told() -> None:
    results = Results({})
    results.problems.append("soak: 3 calls were not stored once")
    Wanted.SOAK_LOST.judge(results, 3)
    assert "MISSED" in as_text(results)
    assert "3 calls were not stored once" in as_json(results)
    assert "| MISSED |" in as_markdown(results.goals)


def test_a_goal_is_not_judged_by_what_was_measured_otherwise() -> None:
    results = Results({})
    Wanted.SHOWN_P99.judge(results, 1.0, Options(pages=30).other_than(live.PAGES))
    Wanted.SHOWN_NCHAN.judge(results, None, "nginx with nchan is not here")
    assert [goal.verdict for goal in results.goals] == ["not measured", "not measured"]
    assert results.goals[0].measured == "measured with 30 pages, not with 500"


def test_every_goal_of_the_page_is_listed_and_belongs_to_a_case() -> None:
    listed = subprocess.run([sys.executable, "-m", "bench"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    documented = DOCUMENTED.findall((ROOT / "docs/bench.md").read_text())
    assert len(documented) >= 20
    for case, what, limit in documented:
        assert re.search(rf"^  {case} +{re.escape(what)}: {re.escape(limit)}$", listed, re.MULTILINE), what
    assert documented == [(wanted.case, wanted.what, str(wanted.limit)) for wanted in Wanted]
    assert {wanted.case for wanted in Wanted} <= CASES.keys()
