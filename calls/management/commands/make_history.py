import random
import secrets
from argparse import ArgumentParser
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, no_translations
from django.utils import timezone

from calls.made_up import history
from calls.management import database
from calls.models import Call, VendorApp

MADE_UP = "made up"  # the name of the vendor app whose calls these are
MANY = 2_000_000
TOLD_EVERY = 100_000  # calls


class Command(BaseCommand):
    help = (
        "Add made-up calls that are over, with accounts, contacts, people (who can't sign in), teams and attempts: for "
        "looking at, and for measuring. Only their vendor app, named "
        f"“{MADE_UP}”, tells them from real ones afterwards, so among real calls it takes --yes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--calls", type=int, required=True, help="how many")
        parser.add_argument("--days", type=int, help="over how many days, up to now (default 365; 730 for millions)")
        parser.add_argument("--seed", type=int, help="the same number makes up the same again (default: another each time)")
        parser.add_argument("--yes", action="store_true", help="even though there are real calls")

    @no_translations
    def handle(self, **options: Any) -> None:
        calls, days, seed = options["calls"], options["days"], options["seed"]
        if calls < 1 or (days is not None and days < 1):
            raise CommandError("--calls and --days take a whole number from 1 on.")
        database.make_if_missing()
        if not (options["yes"] or settings.DEMO) and Call.objects.exclude(account__app__name=MADE_UP).exists():
            raise CommandError("There are real calls. To put made-up ones among them for good, say --yes.")
        app, _ = VendorApp.objects.get_or_create(name=MADE_UP, defaults={"app_id": "-", "aes_key": secrets.token_hex(16)})
        asked = history.Asked(
            app=app,
            calls=calls,
            days=days or (365 if calls < MANY else 730),
            until=timezone.now(),
            seed=random.randrange(10**9) if seed is None else seed,
        )
        history.make(asked, self._tell)
        self.stdout.write(f"{calls:,} calls were made up (--seed {asked.seed}).")

    def _tell(self, made: int) -> None:
        if made % TOLD_EVERY == 0:
            self.stderr.write(f"{made:,} calls …")
