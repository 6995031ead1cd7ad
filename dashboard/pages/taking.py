""" "I take this one": a click that says who deals with the caller, and the one that takes it back."""

from __future__ import annotations

from django.http import Http404, HttpResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.views.decorators.http import require_POST

from calls.away import come_back
from calls.models.person import Sight
from calls.taking import give_back, take

from .board import seen_call
from .requests import SignedInRequest, row_id


@require_POST
def take_call(request: SignedInRequest, pk: int) -> HttpResponse:
    """Take it, where nobody has it yet; a supervisor also takes it over from whom the page shows (`instead_of`).

    Answers with the card, which says who has it, whoever that is.
    """
    sight = request.user.sight
    seen_call(pk, sight)
    instead_of = None
    if "instead_of" in request.POST:
        instead_of = row_id(request.POST["instead_of"])
        if instead_of is None or not request.user.is_supervisor:
            raise Http404
    take(pk, request.user, instead_of)
    come_back(request.user)
    return _card(request, pk, sight)


@require_POST
def give_call_back(request: SignedInRequest, pk: int) -> HttpResponse:
    """Leave it to others again. Answers with the card."""
    sight = request.user.sight
    seen_call(pk, sight)
    give_back(pk, request.user)
    return _card(request, pk, sight)


def _card(request: SignedInRequest, pk: int, sight: Sight) -> HttpResponse:
    if not request.htmx:
        return redirect("call", pk) if request.POST.get("page") == "call" else redirect("board")
    call = seen_call(pk, sight)  # its account may have gone to another team meanwhile
    return HttpResponse(render_to_string("board/_card.html", {"call": call}))  # as pages are sent it
