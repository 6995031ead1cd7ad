"""Things to test with: plain functions that make one valid thing each, different from the last one made."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from django.conf import settings
from django.test import Client
from django.utils import timezone

from calls.models import Account, Attempt, Call, Contact, FollowUp, Person, Team, VendorApp

AES_KEY = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"  # 43 characters, as the vendor gives them
PASSWORD = "correct horse battery staple"
PAYLOADS = Path(__file__).parent / "payloads"

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


def make_calls(number: int, account: Account | None = None, **fields: Any) -> list[Call]:
    """Many at once that ring from now on, each a second after the one before, from contacts of their own."""
    account = account or make_account()
    contacts = Contact.objects.bulk_create(
        Contact(app=account.app, wxid=str(7881300000000000 + next(_numbers))) for _ in range(number)
    )
    start = timezone.now() - timedelta(seconds=number)
    return Call.objects.bulk_create(
        Call(
            **{
                "account": account,
                "contact": contact,
                "voipid": str(next(_numbers)),
                "kind": Call.Kind.VOICE,
                "received_at": start + timedelta(seconds=place),
                "rings_until": timezone.now() + timedelta(seconds=60),
            }
            | fields
        )
        for place, contact in enumerate(contacts)
    )


def make_attempt(call: Call, person: Person, **fields: Any) -> Attempt:
    defaults: dict[str, Any] = {
        "result": Attempt.Result.ACCEPTED,
        "errcode": "0",
        "milliseconds": 380,
        "started_at": timezone.now(),
    }
    values = defaults | fields
    answered_at = values["started_at"] + timedelta(milliseconds=values["milliseconds"] or 0)
    return Attempt.objects.create(call=call, person=person, **{"answered_at": answered_at} | values)


def make_follow_up(call: Call, **fields: Any) -> FollowUp:
    """One that the team's setting has just added, and that nobody has taken."""
    defaults = {"contact": call.contact, "team": call.account.team, "added_at": timezone.now()}
    return FollowUp.objects.create(call=call, **defaults | fields)


def make_client(person: Person | None = None, language: str = "en", **options: Any) -> Client:
    """A browser that reads this language (an empty one: chose none), with this person signed in."""
    client = Client(**options)
    if language:
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = language
    if person:
        client.force_login(person)
    return client


def payload(name: str) -> Any:
    """A sample of what the vendor sends, from tests/payloads."""
    return json.loads((PAYLOADS / f"{name}.json").read_text())


def encrypted(plaintext: bytes, key: bytes, padded_to: int = 32) -> bytes:
    """As the vendor encrypts, but whatever it is: for bodies that `envelope.seal` would never make."""
    count = padded_to - len(plaintext) % padded_to
    encryptor = Cipher(algorithms.AES(key), modes.CBC(key[:16])).encryptor()
    return encryptor.update(plaintext + bytes([count]) * count) + encryptor.finalize()
