"""One call: what happened to it, what colleagues wrote about it and its contact, and the contact's other calls."""

from __future__ import annotations

import json
from typing import Any

from django import forms
from django.db.models import Prefetch
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from calls.contacts import draw_anew
from calls.models import Call, Contact, FollowUp, Note, Person, RawNotice

from ..filters.call_filter import MOST_COUNTED
from .contact import ContactForm, panel, seen_change
from .requests import SignedInRequest
from .timeline import timeline

OTHER_CALLS = 10
WITH_CALL = (
    "attempts__person",
    "notes__person",
    Prefetch("follow_ups", FollowUp.objects.select_related("added_by", "taken_by", "done_by").order_by("id")),
)


class Lines(forms.CharField):
    """Text of several lines. Browsers send two characters for the end of a line, and count one."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")


class NoteForm(forms.Form):
    use_required_attribute = False  # what is wrong is said in the page's language, not in the browser's

    text = Lines(
        label=_("Note"),
        max_length=Note.LONGEST,
        widget=forms.Textarea(attrs={"rows": 3, "autocomplete": "off"}),
        error_messages={"required": _("The note is empty. Write something first.")},
    )


@require_GET
def call(request: SignedInRequest, pk: int) -> HttpResponse:
    return _page(request, pk)


@require_POST
def add_note(request: SignedInRequest, pk: int) -> HttpResponse:
    """Keep a note of whoever sees the call. What others wrote meanwhile stays."""
    found = get_object_or_404(Call.objects.seen_by(request.user.sight), pk=pk)
    form = NoteForm(request.POST)
    if not form.is_valid():
        return _page(request, pk, note_form=form)
    _keep(form, found, request.user)
    return _page(request, pk) if request.htmx else redirect("call", pk)


@require_http_methods(["GET", "POST"])
def write_note(request: SignedInRequest, pk: int) -> HttpResponse:
    """The same in a dialog, for who doesn't want to leave the board: the form, and 204 once the note is kept."""
    found = get_object_or_404(Call.objects.seen_by(request.user.sight).select_related("contact"), pk=pk)
    if not request.htmx:
        return redirect("call", pk)
    form = NoteForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return render(request, "history/_note.html", {"call": found, "note_form": form})
    _keep(form, found, request.user)
    return HttpResponse(status=204)


def _keep(form: NoteForm, call: Call, person: Person) -> None:
    call.notes.create(person=person, written_at=timezone.now(), text=form.cleaned_data["text"])


@require_POST
def change_contact(request: SignedInRequest, pk: int) -> HttpResponse:
    """Keep what whoever sees the call knows of its contact, unless somebody else has changed it meanwhile."""
    contact = get_object_or_404(Call.objects.seen_by(request.user.sight).select_related("contact"), pk=pk).contact
    form = ContactForm(contact, request.POST)
    if not form.is_valid():
        return _page(request, pk, contact_form=form)
    if form.has_changed():
        seen = seen_change(request.POST.get("seen", ""))
        if not Contact.objects.change(contact.pk, request.user, seen, **form.cleaned_data):
            form.add_error(
                None, _("Somebody has changed this meanwhile. Look at it above; to put yours in place of it, save again.")
            )
            return _page(request, pk, contact_form=form)
        draw_anew(contact.pk)
    return _page(request, pk) if request.htmx else redirect("call", pk)


def _page(
    request: SignedInRequest, pk: int, *, note_form: NoteForm | None = None, contact_form: ContactForm | None = None
) -> HttpResponse:
    seen = Call.objects.seen_by(request.user.sight)
    calls = seen.for_history().prefetch_related(None).prefetch_related(*WITH_CALL)
    found = get_object_or_404(calls.select_related("contact__changed_by", "taken_by"), pk=pk)
    others = seen.filter(contact=found.contact_id).exclude(pk=pk)
    context: dict[str, object] = {
        "call": found,
        "steps": timeline(found),
        "note_form": note_form or NoteForm(),
        "follow_up": FollowUp.objects.open().filter(contact=found.contact_id, team=found.account.team_id).for_list().first(),
        "others": others.for_history().prefetch_related(None)[:OTHER_CALLS],
        "others_count": others[: MOST_COUNTED + 1].count(),
        "most_counted": MOST_COUNTED,
    } | panel(found, seen, contact_form)
    if request.user.is_admin:
        notice = RawNotice.objects.filter(pk=pk).first()
        context["raw"] = indented(notice.body) if notice else ""
    return render(request, "history/call.html", context)


def indented(text: str) -> str:
    """JSON as people read it; what is none, as it is."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text
