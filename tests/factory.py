"""Things to test with: plain functions that make one valid thing each, different from the last one made."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.utils import timezone

from calls.models import Account, Attempt, Call, Contact, Person, Team, VendorApp

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"  # 43 characters, as the vendor gives them
PASSWORD = "correct horse battery staple"

_numbers = count(1)


def make_app(**fields: Any) -> VendorApp:
    number = next(_numbers)
    defaults = {"name": f"app {number}", "app_id": "sandbox-app", "app_secret": "sandbox-secret", "aes_key": AES_KEY}
    return VendorApp.objects.create(**defaults | fields)


def make_team(**fields: Any) -> Team:
    return Team.objects.create(**{"name": f"team {next(_numbers)}"} | fields)


def make_person(*teams: Team, **fields: Any) -> Person:
    person = Person.objects.create_user(**{"username": f"person{next(_numbers)}", "password": PASSWORD} | fields)
    person.teams.set(teams)
    return person


def make_account(app: VendorApp | None = None, **fields: Any) -> Account:
    defaults = {"app": app or make_app(), "wxid": str(1688850000000000 + next(_numbers)), "created_at": timezone.now()}
    return Account.objects.create(**defaults | fields)


def make_contact(app: VendorApp, **fields: Any) -> Contact:
    return Contact.objects.create(**{"app": app, "wxid": str(7881300000000000 + next(_numbers))} | fields)


def make_call(account: Account | None = None, received_at: datetime | None = None, **fields: Any) -> Call:
    """A call that rings from now on, unless told otherwise."""
    account = account or make_account()
    received_at = received_at or timezone.now()
    defaults = {
        "account": account,
        "contact": fields.get("contact") or make_contact(account.app),
        "voipid": str(next(_numbers)),
        "kind": Call.Kind.VOICE,
        "received_at": received_at,
        "rings_until": received_at + timedelta(seconds=60),
    }
    return Call.objects.create(**defaults | fields)


def make_attempt(call: Call, person: Person, **fields: Any) -> Attempt:
    defaults = {"result": Attempt.Result.ACCEPTED, "errcode": "0", "milliseconds": 380, "started_at": timezone.now()}
    return Attempt.objects.create(call=call, person=person, **defaults | fields)
