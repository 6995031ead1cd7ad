"""The board: what rings now, and the click that rejects it."""

import logging

from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from calls.away import come_back
from calls.live.render import board_for, calls_by_id, follow_ups_for
from calls.models import Account, Call, Person, Reason, VendorApp
from calls.models.person import Sight
from calls.reject import NothingSent, NotOnRecord, reject
from calls.results import DATABASE_AWAY

from .requests import SignedInRequest, row_id

logger = logging.getLogger(__name__)

TEAMLESS_SHOWN = 20


@require_GET
def board(request: SignedInRequest, is_wall: bool = False) -> HttpResponse:
    """The page that agents have open all day; or, for a screen on the wall, the calls alone. Its socket sends the board anew
    as soon as it is connected."""
    sight = request.user.sight
    context: dict[str, object] = {
        "board": board_for(sight),
        "follow_ups": follow_ups_for(sight),
        "reasons": Reason.objects.lists(sight),
        "now": timezone.now(),
        "is_wall": is_wall,
    }
    if request.user.is_supervisor and not is_wall:
        teamless = Account.objects.filter(team=None).order_by("-created_at")
        context |= {
            "teamless": teamless[:TEAMLESS_SHOWN],
            "teamless_more": max(0, teamless.count() - TEAMLESS_SHOWN),
        }
    if request.user.is_admin and not is_wall:
        context["first_steps"] = first_steps()
    return render(request, "board/page.html", context)


@require_POST
def reject_call(request: SignedInRequest, pk: int) -> HttpResponse:
    """Reject it, and answer with its card, whatever the outcome. Waits for the vendor, up to 8 s.

    Only where the database can't even be read it is 503, and the page says so.
    """
    try:
        return _click(request, pk)
    except DATABASE_AWAY:
        logger.exception("a click could not be answered with its card")
        return render(request, "errors/503.html", status=503)


def _click(request: SignedInRequest, pk: int) -> HttpResponse:
    sight = request.user.sight
    reason = _reason(request, seen_call(pk, sight))
    note: dict[str, object] = {}
    try:
        note["too_late"] = not reject(pk, request.user, reason)
    except NothingSent:
        note["nothing_sent"] = True
    except NotOnRecord as error:
        note["not_on_record"] = error.attempt
    come_back(request.user)
    if not request.htmx:
        return redirect("board") if "nothing_sent" not in note else render(request, "errors/503.html", note, status=503)
    call = seen_call(pk, sight)  # its account may have gone to another team meanwhile
    return HttpResponse(render_to_string("board/_card.html", {"call": call} | note))  # as pages are sent it


def seen_call(pk: int, sight: Sight) -> Call:
    """With all that its card shows. Raises: Http404 where there is none that whoever sees this may see."""
    for call in calls_by_id([pk]):
        if call.account.team_id in sight:
            return call
    raise Http404


def _reason(request: SignedInRequest, call: Call) -> str:
    """The one that was chosen. None where it isn't in the list any more: the click is worth more than its reason."""
    chosen = row_id(request.POST.get("reason", ""))
    if chosen is None:
        return ""
    reason = Reason.objects.of_team(call.account.team_id).filter(pk=chosen).first()
    return reason.text if reason else ""


def first_steps() -> list[dict[str, object]]:
    """What an admin does on a new installation, and how far that is; empty once all is done."""
    app = VendorApp.objects.first()
    steps: list[dict[str, object]] = [
        {"name": "connect", "done": app is not None and app.has_credentials, "app": app},
        {"name": "address", "done": Call.objects.exists(), "app": app},
        {"name": "people", "done": Person.objects.filter(role=Person.Role.AGENT).exists()},
    ]
    return [] if all(step["done"] for step in steps) else steps
