import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, no_translations
from django.db import transaction

from calls.management import database
from calls.models import Person, Team


class Command(BaseCommand):
    help = (
        "Create or update somebody who signs in; the password is read from standard input. What is not given is kept, "
        "the password too where standard input is empty. "
        "Without a team, --all-accounts or --supervisor, an agent sees no calls."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username")
        parser.add_argument("--name", help="as colleagues see it")
        parser.add_argument("--supervisor", action="store_true", help="sees every call, and the supervisors' pages")
        parser.add_argument("--all-accounts", action="store_true", help="sees the calls of every account, future ones too")
        parser.add_argument("--team", action="append", default=[], help="sees its accounts' calls; made where it is missing")

    @no_translations
    def handle(self, **options: Any) -> None:
        database.make_if_missing()
        password = _password()  # before the transaction, which would keep callbacks waiting for whoever types it
        with transaction.atomic():
            self._create_or_update(options, password)

    def _create_or_update(self, options: dict[str, Any], password: str) -> None:
        person = Person.objects.filter(username=options["username"]).first() or Person(username=options["username"])
        if options["name"] is not None:
            person.name = options["name"]
        if options["supervisor"] and not person.is_admin:
            person.role = Person.Role.SUPERVISOR
        if options["all_accounts"]:
            person.all_accounts = True
        created = person.pk is None
        if password:
            self._set_password(person, password)
        elif created:
            raise CommandError("A new person needs a password: give it on standard input.")
        teams = [Team.objects.filter(name=name).first() or Team(name=name) for name in options["team"]]
        rows: list[Person | Team] = [person, *teams]
        for row in rows:
            _check(row)
            row.save()
        person.teams.add(*teams)
        self.stdout.write(f"{person.username} was {'created' if created else 'updated'}.")

    def _set_password(self, person: Person, password: str) -> None:
        try:
            validate_password(password, person)
        except ValidationError as error:
            # Whoever runs this has the database in hand anyway; people who choose their own password are refused a weak one.
            self.stderr.write(self.style.WARNING(f"A weak password: {' '.join(error.messages)}"))
        person.set_password(password)
        person.must_change_password = False


def _password() -> str:
    return getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")


def _check(row: Person | Team) -> None:
    try:
        row.full_clean()
    except ValidationError as error:
        kind = "" if isinstance(row, Person) else "team "
        lines = [f"{kind}{field}: {'; '.join(texts)}" for field, texts in error.message_dict.items()]
        raise CommandError("\n".join(lines)) from None
