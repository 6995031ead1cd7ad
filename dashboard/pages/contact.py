"""What is known of a contact: its picture, the accounts that it calls, and what colleagues write about it."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django import forms
from django.db.models import Exists, OuterRef
from django.http import Http404, HttpResponse
from django.utils.dateparse import parse_datetime
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET

from calls.contacts.pictures import CONTENT_TYPE
from calls.models import Account, Avatar, Call, Contact
from calls.models.call import CallQuerySet

from .requests import SignedInRequest

LOOKED_AT = 100  # calls, of which most tell what is usual
FEWEST = 3  # calls that tell anything
KEPT_BY_BROWSERS = 30 * 24 * 60 * 60  # seconds
BETWEEN_TAGS = re.compile(r"[,，、;；\n]")


class ContactForm(forms.Form):
    use_required_attribute = False  # what is wrong is said in the page's language, not in the browser's

    remark = forms.CharField(
        label=_("Remark"),
        required=False,
        max_length=Contact.remark.field.max_length,
        help_text=_("What colleagues call them; shown in place of the nickname."),
    )
    tags = forms.CharField(label=_("Tags"), required=False, max_length=500, help_text=_("Separated by commas."))
    mark = forms.ChoiceField(
        label=_("Mark"), required=False, choices=[(value, capfirst(label)) for value, label in Contact.Mark.choices]
    )

    def __init__(self, contact: Contact, data: Any = None) -> None:
        initial = {"remark": contact.remark, "tags": ", ".join(contact.tags), "mark": contact.mark}
        super().__init__(data, initial=initial, auto_id="contact-%s")

    def clean_remark(self) -> str:
        return " ".join(self.cleaned_data["remark"].split())

    def clean_tags(self) -> list[str]:
        """Each once, whatever the case of its letters."""
        words = [" ".join(word.split()) for word in BETWEEN_TAGS.split(self.cleaned_data["tags"])]
        tags = list({word.casefold(): word for word in reversed(words) if word}.values())[::-1]
        if len(tags) > Contact.MOST_TAGS:
            raise forms.ValidationError(_("At most %(most)s tags."), params={"most": Contact.MOST_TAGS})
        for tag in tags:
            if len(tag) > Contact.LONGEST_TAG:
                raise forms.ValidationError(
                    _("“%(tag)s” is too long for a tag, which has at most %(longest)s characters."),
                    params={"tag": tag, "longest": Contact.LONGEST_TAG},
                )
        return tags


@dataclass(frozen=True)
class Usual:
    """The account that a contact calls most often, and how many of how many calls went to it."""

    account: Account
    times: int
    of: int


def panel(call: Call, seen: CallQuerySet, form: ContactForm | None) -> dict[str, object]:
    """What the panel of a call's contact shows to somebody who sees these calls. form: as it was sent, if it was."""
    contact = call.contact
    return {
        "contact": contact,
        "picture": Avatar.objects.filter(pk=contact.pk).values_list("version", flat=True).first(),
        "usual": _usual(seen.filter(contact=contact)),
        "contact_form": form or ContactForm(contact),
        "seen": contact.changed_at.isoformat() if contact.changed_at else "",
    }


def seen_change(text: str) -> datetime | None:
    """When the contact had been changed last, as a form says that its page told; None where it says no such thing."""
    try:
        return parse_datetime(text)
    except ValueError:
        return None


def _usual(calls: CallQuerySet) -> Usual | None:
    accounts = list(calls.order_by("-received_at", "-id").values_list("account", flat=True)[:LOOKED_AT])
    for pk, times in Counter(accounts).most_common(1):
        if len(accounts) >= FEWEST and times * 2 > len(accounts):
            return Usual(Account.objects.get(pk=pk), times, len(accounts))
    return None


@require_GET
def avatar(request: SignedInRequest, pk: int, version: str) -> HttpResponse:
    """The picture, to whoever may see a call of the contact."""
    seen = Call.objects.seen_by(request.user.sight).filter(contact=OuterRef("contact"))
    found = Avatar.objects.filter(Exists(seen), contact__id=pk, version=version).values_list("picture", flat=True).first()
    if not found:
        raise Http404
    # Another picture has another address.
    headers = {"Cache-Control": f"private, max-age={KEPT_BY_BROWSERS}, immutable", "X-Content-Type-Options": "nosniff"}
    return HttpResponse(bytes(found), content_type=CONTENT_TYPE, headers=headers)
