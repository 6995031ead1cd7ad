from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, no_translations

from calls import rollups


class Command(BaseCommand):
    help = (
        "Count all past days anew for the reports. Needed only where somebody changed the database by hand: "
        "a running server counts by itself."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--check", action="store_true", help="change nothing; prove that each day's counts equal a fresh count"
        )

    @no_translations
    def handle(self, **options: Any) -> None:
        if not options["check"]:
            self.stdout.write(f"{rollups.rebuild()} days were counted.")
        elif (wrong := rollups.first_wrong()) is not None:
            raise CommandError(
                f"{wrong[1]} of {wrong[0]} differs from a fresh count. Run `manage.py rollups` to count anew."
            )
        else:
            self.stdout.write("Every counted day equals a fresh count.")
