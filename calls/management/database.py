from django.core.management import call_command
from django.db import connection

from calls.models import Person


def make_database_if_missing() -> None:
    """So that an installation can be set up by commands before its first start."""
    if Person._meta.db_table not in connection.introspection.table_names():
        call_command("migrate", verbosity=0)
