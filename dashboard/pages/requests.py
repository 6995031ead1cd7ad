from django.http import HttpRequest
from django_htmx.middleware import HtmxDetails

from calls.models import Person


class SignedInRequest(HttpRequest):
    """A request as pages get it: the middleware has seen to a signed-in person and to htmx."""

    user: Person
    htmx: HtmxDetails
