import json
import os
from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError, no_translations

from calls import contact_data
from calls.management import database
from calls.models import Contact

NOT_REACHED = (
    "Not reached: backups, files that were taken away, the server's log, and callbacks that wait in the spool. Notes on "
    "others' calls were searched for the wxid alone."
)


class Command(BaseCommand):
    help = (
        "Write out, or erase, all that is kept about somebody who called. After erasing, history still says that calls "
        "came: when, to which account, what came of them and by whom."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("wxid")
        parser.add_argument("--app", metavar="NAME", help="the vendor app, where several know the wxid")
        parser.add_argument("--export", metavar="FILE", help="write it there as JSON (- is standard output)")
        parser.add_argument("--erase", action="store_true")
        parser.add_argument("--yes", action="store_true", help="erase without asking")

    @no_translations
    def handle(self, **options: Any) -> None:
        if not (options["export"] or options["erase"]):
            raise CommandError("Say what to do: --export FILE, --erase, or both.")
        database.make_if_missing()
        contact = _contact(options["wxid"], options["app"])
        if options["export"]:
            self._export(contact, options["export"])
        if options["erase"]:
            self._erase(contact, options["yes"])

    def _export(self, contact: Contact, file: str) -> None:
        text = json.dumps(contact_data.export(contact), ensure_ascii=False, indent=2)
        if file == "-":
            self.stdout.write(text)
            return
        try:
            # For its owner alone, and never over a file that exists.
            with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as opened:
                opened.write(text + "\n")
        except OSError as error:
            raise CommandError(f"{file} can't be written: {error.strerror}") from None
        self.stderr.write(f"Written to {file}.")

    def _erase(self, contact: Contact, unasked: bool) -> None:
        if not unasked and not self._confirmed(contact):
            raise CommandError("Nothing was erased.")
        try:
            erased = contact_data.erase(contact)
        except contact_data.StillBusy:
            raise CommandError(
                "A call of this contact is not over, or its reject is not on record yet. Do it again in a minute."
            ) from None
        self.stderr.write(f"Erased: {erased}.\n{NOT_REACHED}")
        if erased.unread_unknown:
            self.stderr.write(f"{erased.unread_unknown} kept callbacks can't be read, so nobody can tell what they hold.")

    def _confirmed(self, contact: Contact) -> bool:
        self.stderr.write(
            f"All that says who {contact.wxid} is will be erased from {contact.calls.count()} calls, and every export file "
            "deleted. This can't be undone. Type yes to go on: ",
            ending="",
        )
        try:
            return input().strip() == "yes"
        except EOFError:
            return False


def _contact(wxid: str, app: str | None) -> Contact:
    found = Contact.objects.filter(wxid=wxid).select_related("app")
    if app is not None:
        found = found.filter(app__name=app)
    contacts = list(found)
    if not contacts:
        raise CommandError(f"No contact has the wxid {wxid}{f' at {app}' if app is not None else ''}.")
    if len(contacts) > 1:
        raise CommandError(
            f"Several vendor apps know {wxid}: {', '.join(one.app.name for one in contacts)}. Add --app NAME."
        )
    return contacts[0]
