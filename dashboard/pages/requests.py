from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from calls.models import Person


class SignedInRequest(HttpRequest):
    """A request as pages get it: the middleware has seen to a signed-in person and to htmx."""

    user: Person
    htmx: HtmxDetails


def row_id(text: str) -> int | None:
    """The primary key that an address names; None where it names none that a database could have."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None
