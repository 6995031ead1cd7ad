"""The benchmark of history: that it measures what it says. Its figures are for people, not for tests."""

from __future__ import annotations

import psycopg
import pytest

from bench import history, postgres
from bench.report import Results, as_json, as_text

pytestmark = pytest.mark.engineless  # it has its own

CALLS = 300
CASES = {"first page", "page 1,000", "account", "search: rare name", "agent: kind", "call page, who calls most"}


def test_every_case_is_measured_and_shows_the_rows_that_the_bare_sql_finds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "TURNS", 1)
    results = Results({})
    history.measure(results, [CALLS], ["sqlite"], kept_in=None)
    assert {row.what for row in results.tables[0].rows} >= CASES
    assert results.problems == []
    assert {goal.what.removeprefix("SQLite, ") for goal in results.goals} >= CASES
    assert "first page" in as_text(results)
    assert "first page" in as_json(results)


def test_a_history_is_made_up_on_postgresql_too_and_ids_go_on_after_it() -> None:
    with history.data_folder() as folder, postgres.running(folder / "postgresql") as server:
        server.make_database("made_up")
        installation = history.Installation("postgresql", CALLS, folder / "data", server.url("made_up"))
        installation.make()
        with psycopg.connect(installation.database) as database:
            calls, newest, attempts = database.execute(
                "SELECT COUNT(*), MAX(id), (SELECT COUNT(*) FROM calls_attempt) FROM calls_call"
            ).fetchone() or (0, 0, 0)
            following = database.execute("SELECT nextval(pg_get_serial_sequence('calls_call', 'id'))").fetchone()
        assert calls == CALLS
        assert attempts > CALLS / 2
        assert following == (newest + 1,)
