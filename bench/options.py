"""What was asked for on the command line, as the cases see it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from .servers import HOME

TURNS = 3
HEALTHCHECKS = HOME / "healthchecks"


@dataclass(frozen=True)
class Options:
    seconds: float | None = None  # how long a run lasts; None: as long as the case's goal asks
    pages: int | None = None  # the same
    turns: int = TURNS
    minutes: float | None = None  # of the soak
    healthchecks: Path = HEALTHCHECKS  # a checkout

    def other_than(self, pages: int | None = None, seconds: float | None = None) -> str:
        """Why a goal that holds for so many pages and seconds can't be judged; empty where it can."""
        if pages is not None and self.pages not in (None, pages):
            return f"measured with {self.pages} pages, not with {pages}"
        if seconds is not None and self.seconds is not None and self.seconds < seconds:
            return f"measured for {self.seconds:g} s, not for {seconds:g}"
        return ""
