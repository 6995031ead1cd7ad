"""What happened to a call, step by step, in the order in which it happened."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from calls.models import Attempt, Call, FollowUp, Note


@dataclass(frozen=True)
class Step:
    at: datetime
    name: str  # of what happened, as templates/history/_step.html knows it
    attempt: Attempt | None = None
    note: Note | None = None
    follow_up: FollowUp | None = None
    shape: str = "exact"  # of the time: a note is written by hand, perhaps days later


def timeline(call: Call) -> list[Step]:
    """Oldest first. The call comes with its attempts, notes and follow-ups, and their people."""
    return sorted(_steps(call), key=lambda step: step.at)


def _steps(call: Call) -> Iterator[Step]:
    if call.called_at:
        yield Step(call.called_at, "called")
    yield Step(call.received_at, "stored")
    if call.shown_at:
        yield Step(call.shown_at, "shown")
    if call.taken_at:
        yield Step(call.taken_at, "taken")
    for attempt in call.attempts.all():
        yield Step(attempt.started_at, "attempt", attempt=attempt)
    if call.ended_at:
        yield Step(call.ended_at, "ended")
    if call.is_over and call.status in {Call.Status.MISSED, Call.Status.UNCONFIRMED}:
        yield Step(call.rings_until, "ran_out")
    for note in call.notes.all():
        yield Step(note.written_at, "noted", note=note, shape="long")
    for follow_up in call.follow_ups.all():
        yield from _follow_up_steps(follow_up)


def _follow_up_steps(follow_up: FollowUp) -> Iterator[Step]:
    yield Step(follow_up.added_at, "added", follow_up=follow_up, shape="long")
    if follow_up.taken_at:
        yield Step(follow_up.taken_at, "taken", follow_up=follow_up, shape="long")
    if follow_up.done_at:
        yield Step(follow_up.done_at, "done", follow_up=follow_up, shape="long")
