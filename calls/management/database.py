"""Bringing the database up to date: by one process at a time, whoever else starts at the same moment."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import Error as DatabaseError
from django.db import connection

from calls.locks import alone, another_key_is_in_use
from calls.models import Person


def bring_up_to_date() -> None:
    """Raises: CommandError where the database can't be used."""
    with _alone():
        call_command("migrate", verbosity=0)


def check_key() -> None:
    """Raises: CommandError where another server on this database has another SECRET_KEY: sign-ins at one would not count at
    the other, and neither could read what the other keeps encrypted."""
    if another_key_is_in_use():
        raise CommandError(
            "Ringdesk can't start: another server that uses this database has another SECRET_KEY. Set SECRET_KEY to the same"
            " value on all of them. To change it, stop all of them first."
        )


def make_if_missing() -> None:
    """So that an installation can be set up by commands before its first start.

    Raises: CommandError where the database can't be used.
    """
    with _alone():
        if Person._meta.db_table not in connection.introspection.table_names():
            call_command("migrate", verbosity=0)


def never_make_anew() -> None:
    """From now on an SQLite database that was moved away is an error, where SQLite would make a new one, empty. This thread
    is connected to none any more: it is the event loop's next."""
    connection.close()
    if connection.vendor == "sqlite":
        name = connection.settings_dict["NAME"]  # shared by the connections of all threads
        connection.settings_dict["NAME"] = f"{Path(name).absolute().as_uri()}?mode=rw"


@contextmanager
def _alone() -> Iterator[None]:
    try:
        with alone("migrate"):
            yield
    except DatabaseError as error:
        reason, _, _ = str(error).partition("\n")
        raise CommandError(f"The database can't be used: {reason}") from None
