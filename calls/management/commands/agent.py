import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from calls.management.database import make_database_if_missing
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

    def handle(self, **options: Any) -> None:
        make_database_if_missing()
        with transaction.atomic():
            self._create_or_update(options)

    def _create_or_update(self, options: dict[str, Any]) -> None:
        person = Person.objects.filter(username=options["username"]).first() or Person(username=options["username"])
        if options["name"] is not None:
            person.name = options["name"]
        if options["supervisor"] and not person.is_admin:
            person.role = Person.Role.SUPERVISOR
        if options["all_accounts"]:
            person.all_accounts = True
        created = person.pk is None
        self._set_password(person, created)
        try:
            person.full_clean()
        except ValidationError as error:
            raise CommandError(
                "\n".join(f"{field}: {'; '.join(texts)}" for field, texts in error.message_dict.items())
            ) from None
        person.save()
        for name in options["team"]:
            person.teams.add(Team.objects.get_or_create(name=name)[0])
        self.stdout.write(f"{person.username} was {'created' if created else 'updated'}.")

    def _set_password(self, person: Person, required: bool) -> None:
        password = getpass.getpass() if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        if not password:
            if required:
                raise CommandError("A new person needs a password: give it on standard input.")
            return
        try:
            validate_password(password, person)
        except ValidationError as error:
            # Whoever runs this has the database in hand anyway; people who choose their own password are refused a weak one.
            self.stderr.write(self.style.WARNING(f"A weak password: {' '.join(error.messages)}"))
        person.set_password(password)
        person.must_change_password = False
