"""What is found out about contacts beside the work: their names, asked of the vendor, and their pictures."""

from datetime import timedelta

from django.db.models import Q
from django.utils import timezone

from ..among import among
from ..live import publish
from ..models import Call, Contact
from ..models.call import RECENT

LATELY = timedelta(hours=3)  # contacts that called within this time are looked after
MOST_LOOKED_AT = 1000  # of their calls
MOST_DRAWN = 100  # calls of one contact; boards show fewer


def first_due(due: Q) -> Contact | None:
    """Of the contacts that called lately, whoever called last of those that fit this condition.

    Who called is asked first, and then who of these is due: as one query, SQLite would look at all contacts there are.
    """
    calls = Call.objects.filter(received_at__gt=timezone.now() - LATELY).order_by("-received_at", "-id")
    called = list(calls.values_list("contact", flat=True)[:MOST_LOOKED_AT])
    found = set(Contact.objects.filter(among(set(called)), due).values_list("pk", flat=True))
    first = next((pk for pk in called if pk in found), None)
    return Contact.objects.select_related("app").filter(pk=first).first() if first else None


def draw_anew(contact_id: int) -> None:
    """Have the contact's cards sent to every board that shows them, since what they say of the contact changed."""
    recent = Call.objects.filter(contact=contact_id, received_at__gt=timezone.now() - RECENT)
    publish.calls_changed(list(recent.order_by("-received_at", "-id").values_list("pk", flat=True)[:MOST_DRAWN]))


__all__ = ["LATELY", "draw_anew", "first_due"]
