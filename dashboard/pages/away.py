"""Going away for a while, and coming back."""

from __future__ import annotations

from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from calls.away import MINUTES, come_back, go_away

from .requests import SignedInRequest

ASKED = {"": None} | {str(minutes): minutes for minutes in MINUTES}


@require_POST
def away(request: SignedInRequest) -> HttpResponse:
    """For one of `MINUTES`, or without a number until they return."""
    minutes = request.POST.get("minutes", "")
    if minutes not in ASKED:
        return HttpResponseBadRequest()
    go_away(request.user, ASKED[minutes])
    return _answer(request)


@require_POST
def back(request: SignedInRequest) -> HttpResponse:
    come_back(request.user)
    return _answer(request)


def _answer(request: SignedInRequest) -> HttpResponse:
    return render(request, "people/_me_away.html") if request.htmx else redirect("board")
