"""The mapping helper: where the values of a call stand in the vendor's notices, tried out on one that came."""

from __future__ import annotations

import json
import re
from itertools import islice
from typing import Any

from cryptography.fernet import InvalidToken
from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.http import urlencode
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST

from calls.examples import NoExample, examples_of, notice_in, notice_of
from calls.models import UnreadBody, VendorApp
from calls.senders import mapping_of
from calls.vendor import notices, reasons
from calls.vendor.envelope import Unreadable

from .requests import SignedInRequest
from .roles import admins_only

PLACES_SHOWN = 300
LONGEST_VALUE = 200  # characters
LONGEST_JSON = 20_000  # characters
TURNS = re.compile("[\u202a-\u202e\u2066-\u2069]")


class MappingForm(forms.ModelForm):
    class Meta:
        model = VendorApp
        fields = [
            "account_path",
            "contact_path",
            "voipid_path",
            "kind_path",
            "nickname_path",
            "avatar_path",
            "time_path",
            "end_path",
            "end_values",
        ]
        widgets = {
            name: forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"})
            for name in fields
        }


@require_http_methods(["GET", "POST"])
@admins_only
def mapping(request: SignedInRequest, pk: int) -> HttpResponse:
    """A notice, the fields, and what each finds in it. Saved, the next callback is read with them."""
    app = get_object_or_404(VendorApp, pk=pk)
    form = MappingForm(request.POST or None, instance=app)
    asked_for = request.POST.get("notice", "") or request.GET.get("notice", "")
    if request.method == "POST" and form.is_valid():
        form.instance.save(update_fields=form.fields)  # these alone: a token may be stored meanwhile
        messages.success(request, gettext("Saved. Callbacks are read in this way from now on."))
        return redirect(f"{reverse('mapping', args=[pk])}?{urlencode({'notice': asked_for})}")
    examples = examples_of(app)
    chosen = asked_for or (examples[0].key if examples else "")
    context = {
        "app": app,
        "form": form,
        "examples": examples,
        "chosen": chosen,
        "kept": UnreadBody.objects.filter(app=app).count(),
        **_tried_out(form, app, chosen),
    }
    return render(request, "mapping/page.html", context)


@require_POST
@admins_only
def values(request: SignedInRequest, pk: int) -> HttpResponse:
    """What the fields as they are now find in the notice that is shown; with the notice, where another one was chosen."""
    app = get_object_or_404(VendorApp, pk=pk)
    form = MappingForm(request.POST, instance=app)
    context = {"form": form, "with_notice": request.htmx.target == "shown"}
    context |= _tried_out(form, app, request.POST.get("notice", ""), request.POST.get("pasted", ""))
    return render(request, "mapping/_values.html", context)


def _tried_out(form: MappingForm, app: VendorApp, chosen: str, pasted: str = "") -> dict[str, Any]:
    """The notice, and what the mapping makes of it; else why there is none."""
    try:
        notice = notice_in(app, pasted) if pasted.strip() else notice_of(app, chosen) if chosen else None
    except NoExample:
        return _without(form, gettext("There is no notice of a call in it."))
    except InvalidToken:
        return _without(form, gettext("It was kept under another SECRET_KEY, and can't be decrypted."))
    except Unreadable as reason:
        return _without(form, reasons.in_words(str(reason)))
    except ValueError:
        return _without(form, gettext("The encoding_aes_key of this vendor app is none."))
    if notice is None:
        return _without(form, "")
    if form.is_bound:
        for name in form.fields:  # as they are typed, complete or not; never saved
            setattr(app, name, form.data.get(name, ""))
    used = mapping_of(app)
    found = notices.found(notice, used)
    places = ((path, value) for path, value in notices.places_in(notice) if path == _sendable(path))
    return {
        "fields": [(field, readable(found.get(field.name.removesuffix("_path")))) for field in form],
        "standing": [(path, as_written(path), readable(value)) for path, value in islice(places, PLACES_SHOWN)],
        "json": as_written(_sendable(_as_json(notice, LONGEST_JSON, indent=2))),
        "reading": notices.read([notice], used),
    }


def _without(form: MappingForm, problem: str) -> dict[str, Any]:
    return {"fields": [(field, "") for field in form], "problem": problem}


def readable(value: Any) -> str:
    """A value from outside as text that can be shown; empty for nothing."""
    if value is None:
        return ""
    text = value if isinstance(value, str) else _as_json(value, LONGEST_VALUE + 1)
    return _sendable(text if len(text) <= LONGEST_VALUE else f"{text[:LONGEST_VALUE]}…")


def as_written(text: str) -> str:
    """A path, or JSON, with the characters that would show others in reverse as JSON writes them."""
    return TURNS.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _as_json(value: Any, longest: int, indent: int | None = None) -> str:
    """Cut to so many characters. Written no further than that: deep ones, indented, come to hundreds of megabytes."""
    parts: list[str] = []
    for part in json.JSONEncoder(ensure_ascii=False, indent=indent).iterencode(value):
        parts.append(part)
        longest -= len(part)
        if longest <= 0:
            break
    text = "".join(parts)
    return text[: len(text) + min(longest, 0)]


def _sendable(text: str) -> str:
    """Without halves of characters, which no page can hold."""
    return text.encode("utf-8", "replace").decode()
