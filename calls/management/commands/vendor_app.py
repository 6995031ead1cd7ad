import getpass
import sys
from argparse import ArgumentParser
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, no_translations

from calls.management import database
from calls.models import VendorApp

# Option, field of VendorApp
FIELDS = {
    "base_url": "base_url",
    "app_id": "app_id",
    "app_secret": "app_secret",
    "access_token": "access_token",
    "aes_key": "aes_key",
    "callback_secret": "callback_secret",
    "ring_seconds": "ring_seconds",
    "allowlist": "allowlist",
}
SECRETS = ("app_secret", "access_token", "aes_key", "callback_secret")


class Command(BaseCommand):
    help = (
        "Create or update a vendor app by name, and print its callback address. What is not given is kept. "
        "A secret given as - is read from standard input, one line each in the order of the options in this help."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("name")
        parser.add_argument("--app-id")
        token = parser.add_mutually_exclusive_group()
        token.add_argument("--app-secret")
        token.add_argument("--access-token", help="a fixed one, where the vendor gave one")
        parser.add_argument("--aes-key", help="the vendor's encoding_aes_key")
        parser.add_argument("--base-url", help="the address of the vendor's API")
        parser.add_argument("--callback-secret", help="part of the callback address (made up where not given)")
        parser.add_argument("--ring-seconds", type=int, help="how long a call is taken to ring")
        parser.add_argument("--allowlist", help="addresses or networks that callbacks may come from, with blanks between")

    @no_translations
    def handle(self, **options: Any) -> None:
        database.make_if_missing()
        app = VendorApp.objects.filter(name=options["name"]).first() or VendorApp(name=options["name"])
        for option, field in FIELDS.items():
            if (value := options[option]) is not None:
                if value == "-" and option in SECRETS:
                    value = self._line_of_input(option)
                setattr(app, field, value)
        # One or the other: a fixed token left in place would win over a new app_secret.
        if options["app_secret"]:
            app.access_token = ""
        if options["access_token"]:
            app.app_secret = ""
        app.forget_token()
        try:
            app.full_clean()
        except ValidationError as error:
            raise CommandError(_in_lines(error)) from None
        app.save()
        self.stdout.write(app.callback_url)

    def _line_of_input(self, option: str) -> str:
        asked = getpass.getpass(f"{option.replace('_', '-')}: ") if sys.stdin.isatty() else sys.stdin.readline()
        line = asked.strip()
        if not line:
            raise CommandError(f"--{option.replace('_', '-')} is -, but standard input has no line for it.")
        return line


def _in_lines(error: ValidationError) -> str:
    options = {field: f"--{option.replace('_', '-')}" for option, field in FIELDS.items()}
    return "\n".join(
        f"{options.get(field, field)}: {message}" if field != "__all__" else message
        for field, messages in error.message_dict.items()
        for message in messages
    )
