from django.http import HttpRequest, HttpResponse
from django_htmx.http import push_url
from django_htmx.middleware import HtmxDetails

from calls.models import Person


class SignedInRequest(HttpRequest):
    """A request as pages get it: the middleware has seen to a signed-in person and to htmx."""

    user: Person
    htmx: HtmxDetails


def row_id(text: str) -> int | None:
    """The primary key that an address names; None where it names none that a database could have."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def push_address(request: SignedInRequest, response: HttpResponse, path: str, query: str) -> None:
    """Into the browser's address and its history, unless it stands there already."""
    address = f"{path}?{query}" if query else path
    push_url(response, address if address != request.htmx.current_url_abs_path else False)
