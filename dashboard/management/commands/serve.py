import itertools
import secrets
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from calls.locks import alone
from calls.management import database
from calls.models import Person
from dashboard.server import CantStart, listening_socket, serve, sole_server


class Command(BaseCommand):
    help = "Start Ringdesk: bring the database up to date, create an admin on the first start, and serve until stopped."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        try:
            with sole_server(settings.DATA_DIR):
                listener = listening_socket(settings.BIND_HOST, settings.BIND_PORT)
                database.bring_up_to_date()
                database.check_key()
                with alone("first-admin"):
                    self._create_first_admin()
                database.never_make_anew()
                serve(listener, self._announce)
        except CantStart as error:
            raise CommandError(f"Ringdesk can't start: {error}") from None
        except KeyboardInterrupt:
            pass

    def _create_first_admin(self) -> None:
        if Person.objects.filter(role=Person.Role.ADMIN).exists():
            return
        username, password = _free_username("admin"), secrets.token_urlsafe(9)
        Person.objects.create_superuser(username, password, must_change_password=True)
        self.stdout.write(f"No admin yet. Sign in as  {username}  with the one-time password  {password}")

    def _announce(self) -> None:
        self.stdout.write(f"Ringdesk is at {settings.PUBLIC_URL} (data in {settings.DATA_DIR}). Ctrl-C stops it.")
        self.stdout.flush()


def _free_username(wanted: str) -> str:
    """This name, or one with a number where somebody has it: a start never changes who somebody is."""
    names = (f"{wanted}{number or ''}" for number in itertools.count())
    return next(name for name in names if not Person.objects.filter(username=name).exists())
