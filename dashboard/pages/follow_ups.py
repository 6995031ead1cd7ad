"""Customers to be called or written back: the list, and what people do with it."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_htmx.http import trigger_client_event

from calls import follow_ups as service
from calls.models import Call, FollowUp

from .call import Lines
from .requests import SignedInRequest

ROWS = 200
WHOSE = {"": _("All"), "mine": _("Mine"), "nobody": _("Nobody's")}
CHANGED = "follow-ups"  # the event that has the parts of a page that show follow-ups loaded anew


class DoneForm(forms.Form):
    note = Lines(
        label=_("Note"),
        max_length=FollowUp.LONGEST,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4, "autocomplete": "off", "autofocus": True}),
        help_text=_("What came of it. May stay empty."),
    )


@require_GET
def follow_ups(request: SignedInRequest) -> HttpResponse:
    """Open ones oldest first, and what was done lately; `who` chooses among them."""
    who = request.GET.get("who", "")
    seen = FollowUp.objects.seen_by(request.user.sight)
    found, done = seen.open(), seen.recently_done()
    if who == "mine":
        found, done = found.filter(taken_by=request.user), done.filter(done_by=request.user)
    elif who == "nobody":
        found, done = found.filter(taken_by=None), done.none()
    rows = list(found.for_list()[: ROWS + 1])
    context = {
        "rows": rows[:ROWS],
        "more": found.count() - ROWS if len(rows) > ROWS else 0,
        "done": done.for_list().order_by("-done_at", "-id")[:ROWS],
        "who": who,
        "whose": WHOSE.items(),
    }
    return render(request, "follow_ups/page.html", context)


@require_POST
def add_follow_up(request: SignedInRequest, pk: int) -> HttpResponse:
    """Put the contact of a call on the list, and answer with what the button says from now on."""
    call = get_object_or_404(Call.objects.seen_by(request.user.sight).select_related("account"), pk=pk)
    service.add(call, request.user)  # who is on it already stays
    if not request.htmx:
        return redirect("call", pk)
    return trigger_client_event(HttpResponse(gettext("On the list")), CHANGED)


@require_POST
def take_follow_up(request: SignedInRequest, pk: int) -> HttpResponse:
    _seen(request, pk)
    return _answer(request, pk, service.take(pk, request.user))


@require_POST
def give_follow_up_back(request: SignedInRequest, pk: int) -> HttpResponse:
    _seen(request, pk)
    return _answer(request, pk, service.give_back(pk, request.user))


@require_http_methods(["GET", "POST"])
def follow_up_done(request: SignedInRequest, pk: int) -> HttpResponse:
    """The form for the note, and what it does. Where somebody else was first, it says so and keeps what was written."""
    form = DoneForm(request.POST if request.method == "POST" else None)
    follow_up = _seen(request, pk)
    if request.method == "POST" and form.is_valid():
        if service.done(pk, request.user, form.cleaned_data["note"]):
            return _answer(request, pk, True)
        follow_up = _seen(request, pk)
    context = {"follow_up": follow_up, "form": form, "may_settle": follow_up.may_be_settled_by(request.user)}
    return render(request, "follow_ups/_done.html" if request.htmx else "follow_ups/done.html", context)


def _seen(request: SignedInRequest, pk: int) -> FollowUp:
    """Raises: Http404 where there is none that this person may see."""
    return get_object_or_404(FollowUp.objects.seen_by(request.user.sight).for_list(), pk=pk)


def _answer(request: SignedInRequest, pk: int, happened: bool) -> HttpResponse:
    """Nothing to swap in: whatever shows follow-ups is loaded anew, and says who has it."""
    if request.htmx:
        return trigger_client_event(HttpResponse(status=204), CHANGED)
    if not happened:
        now = _seen(request, pk)
        messages.info(request, gettext("%(name)s was first.") % {"name": now.done_by or now.taken_by or gettext("Somebody")})
    return redirect("follow_ups")
