from argparse import ArgumentParser
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, no_translations
from django.db import Error as DatabaseError
from django.db import connection

from calls import moving, spool
from calls.management import database
from calls.moving import CantMove, Compared
from dashboard.server import LOCK, CantStart, sole_server

SHOWN = 16  # digits of a checksum


class Command(BaseCommand):
    help = (
        "Move an installation from SQLite to PostgreSQL. To be run while no server runs, with DATABASE_URL set to a new, "
        "empty database on PostgreSQL. Rows and checksums of every table are compared; unless all are equal, and if it is "
        "interrupted, PostgreSQL stays empty. The SQLite file is only read."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument(
            "--from", dest="source", metavar="FILE", default=settings.SQLITE_FILE, help="the SQLite database (%(default)s)"
        )

    @no_translations
    def handle(self, **options: Any) -> None:
        file = Path(options["source"]).resolve()
        with _said_in_one_line():
            if connection.vendor != "postgresql":
                raise CantMove("DATABASE_URL names no PostgreSQL. Set it, such as postgres://user:password@host/ringdesk.")
            with moving.opened(file) as source, _no_server_on({settings.DATA_DIR, file.parent}):
                source.check_version()
                waiting = _callbacks_waiting(file.parent)
                moving.check_empty()
                database.bring_up_to_date()
                self.stderr.write(f"Checking {file} …")
                source.check_integrity()
                compared = moving.move(source, self.stderr.write)
            self._show(compared)
            if not all(each.equal for each in compared):
                raise CantMove("what PostgreSQL gives back differs. Look for triggers there that change rows.")
        self._say_what_to_do(file, compared, waiting)

    def _show(self, compared: Sequence[Compared]) -> None:
        self.stdout.write(f"{'table':<24} {'SQLite rows':>14} {'PostgreSQL rows':>16}  checksum")
        for each in sorted(compared, key=lambda each: each.table):
            verdict = "equal" if each.equal else f"DIFFERENT: {each.checksum_moved[:SHOWN]}"
            self.stdout.write(f"{each.table:<24} {each.rows:>14,} {each.rows_moved:>16,}  {each.checksum[:SHOWN]} {verdict}")

    def _say_what_to_do(self, file: Path, compared: Sequence[Compared], waiting: int) -> None:
        if mended := sum(each.mended for each in compared):
            self.stdout.write(f"{mended} texts held characters that PostgreSQL doesn't take; U+FFFD stands in their place.")
        if waiting:
            self.stdout.write(f"{waiting} callbacks wait in {settings.DATA_DIR}; the server stores them when it starts.")
        self.stdout.write(
            f"{sum(each.rows for each in compared):,} rows were moved, and all are equal. Start the server with this "
            f"DATABASE_URL and the same DATA_DIR. Keep {file} until you are satisfied."
        )


@contextmanager
def _said_in_one_line() -> Iterator[None]:
    """Raises: CommandError for whatever goes wrong; nothing was moved then."""
    try:
        yield
    except (CantMove, CantStart, CommandError) as error:
        raise CommandError(f"Nothing was moved: {error}") from error
    except DatabaseError as error:
        raise CommandError(f"Nothing was moved: the PostgreSQL database failed: {str(error).splitlines()[0]}") from error
    except KeyboardInterrupt:
        raise CommandError("Nothing was moved: interrupted.") from None


@contextmanager
def _no_server_on(folders: set[Path]) -> Iterator[None]:
    """Raises: CantStart where one runs."""
    with ExitStack() as held:
        for folder in folders:
            if folder == settings.DATA_DIR or (folder / LOCK).exists():
                held.enter_context(sole_server(folder))
        yield


def _callbacks_waiting(folder: Path) -> int:
    """How many callbacks wait on disk for the database. They need not be stored before: ids stay what they are.

    Raises: CantMove where the server that is started next would not find them.
    """
    waiting = spool.left_in(folder)
    if waiting and folder != settings.DATA_DIR:
        raise CantMove(f"{waiting} callbacks wait in {folder}. Set DATA_DIR to it, so that they are stored after the move.")
    return waiting
