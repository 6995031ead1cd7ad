"""Pictures of contacts that called lately, fetched one after the other and kept."""

from __future__ import annotations

import logging
from datetime import timedelta
from hashlib import blake2b

from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from ..models import Avatar, Contact
from ..vendor.notices import strangers_text
from . import draw_anew, first_due
from .pictures import NoPicture, made_small
from .strangers import NotFetched, fetch

logger = logging.getLogger(__name__)

AGAIN_AFTER = timedelta(days=1)  # where there was none
LONGEST_FAILURE = 200  # characters


def fetch_next() -> bool:
    """Fetch the picture of whoever called last of those whose picture is due. Never more than one, so that a second passes
    before the next.

    Returns: False, for a job that is done for now. Raises: django.db.Error.
    """
    contact = first_due(_is_due())
    if contact is not None:
        _keep(contact.pk, contact.avatar)
    return False


def _is_due() -> Q:
    """That a contact has a picture somewhere that was not fetched yet, nor tried to be lately."""
    same = Avatar.objects.filter(contact=OuterRef("pk"), address=OuterRef("avatar"))
    done = same.filter(Q(failure="") | Q(tried_at__gt=timezone.now() - AGAIN_AFTER))
    return ~Q(avatar="") & ~Q(Exists(done))


def _keep(contact_id: int, address: str) -> None:
    """Fetch this and keep it, or that it could not be had; what was fetched from an earlier address stays until then."""
    values: dict[str, object] = {"address": address, "failure": ""}
    try:
        picture = made_small(fetch(address))
        values |= {"picture": picture, "version": blake2b(picture, digest_size=8).hexdigest()}
    except (NotFetched, NoPicture) as error:
        logger.info("contact %d: no avatar: %s", contact_id, error)
        values["failure"] = strangers_text(str(error), LONGEST_FAILURE)
    with transaction.atomic():
        # Locked: one that is being erased gets no picture, and one that has another address by now gets that one's.
        if not Contact.objects.select_for_update().filter(pk=contact_id, avatar=address).exists():
            return
        before = Avatar.objects.filter(pk=contact_id).values_list("version", flat=True).first()
        Avatar.objects.update_or_create(pk=contact_id, defaults=values | {"tried_at": timezone.now()})
    if values.get("version", before) != before:
        draw_anew(contact_id)
