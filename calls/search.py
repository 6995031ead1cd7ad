"""Search: calls by a part of a name, a number or what was said."""

from __future__ import annotations

from django.db.models import Q

from .models.call import CallQuerySet

LONGEST = 100  # characters


def matching(calls: CallQuerySet, text: str) -> CallQuerySet:
    """Of these calls those with this text in the contact's nickname or wxid, the account's name or wxid, the call id, the
    name of who rejected it, what the vendor said, or a note. Upper and lower case are the same."""
    return calls.filter(
        Q(contact__nickname__icontains=text)
        | Q(contact__wxid__icontains=text)
        | Q(account__name__icontains=text)
        | Q(account__wxid__icontains=text)
        | Q(voipid__icontains=text)
        | Q(claimed_by__name__icontains=text)
        | Q(claimed_by__username__icontains=text)
        | Q(attempts__message__icontains=text)
        | Q(notes__text__icontains=text)
    ).distinct()
