import time
from argparse import ArgumentParser
from collections import Counter
from typing import Any

from django.core.management.base import BaseCommand, no_translations
from django.utils import timezone

from calls import retention
from calls.management import database
from calls.retention import What

PAUSE = 0.02  # seconds between two steps, in which the server gets at the database


class Command(BaseCommand):
    help = (
        "Remove what has been kept for long enough (CALL_DAYS, ATTEMPT_DAYS, NOTICE_DAYS), and say what that was. The "
        "server does the same by itself every hour. It can be interrupted at any time."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--dry-run", action="store_true", help="only say what would be removed")

    @no_translations
    def handle(self, **options: Any) -> None:
        database.make_if_missing()
        if options["dry_run"]:
            self._say(retention.to_remove(timezone.now()), "would be removed")
            return
        removed: Counter[What] = Counter()
        try:
            while some := retention.remove_some(timezone.now()):
                removed += some
                time.sleep(PAUSE)
        finally:
            self._say(removed, "removed")

    def _say(self, counts: Counter[What], what_happens: str) -> None:
        since = retention.kept_since(timezone.now())
        for what in What:
            if what in since:
                kept = f"from {timezone.localtime(since[what], timezone.get_default_timezone()):%Y-%m-%d %H:%M} on"
            else:
                kept = "for ever" if what == What.CALLS else "as long as their calls"
            self.stdout.write(f"{what.value}: kept {kept}; {counts[what]} {what_happens}")
