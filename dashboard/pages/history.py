"""History: which calls came, and who rejected which."""

from __future__ import annotations

from datetime import UTC
from urllib.parse import urlencode

from django.db.models import Max
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from calls.models import Call, SavedView

from ..filters.call_filter import MOST_COUNTED, CallFilter, Place
from .chips import chips
from .requests import SignedInRequest, push_address, row_id
from .saved_views import ViewForm

ROWS = 50
MOST_NEW = 99


@require_GET
def history(request: SignedInRequest) -> HttpResponse:
    """Calls newest first, filtered by the query; each page begins after the last call of the one before."""
    filtered = _filtered(request)
    # Asked for like this it is found at once; in order, SQLite may sort all ids, having learnt of its tables by samples.
    latest = Call.objects.aggregate(pk=Max("pk"))["pk"] or 0
    place = _place(request.GET.get("after", ""))
    rows = filtered.newest(ROWS + 1, before=place)
    if place is None and len(rows) <= ROWS:
        count: int | None = len(rows)
    else:
        count = filtered.count(MOST_COUNTED)
    context = {
        "filter": filtered,
        "chips": chips(filtered),
        "calls": rows[:ROWS],
        # What would take too long to count is more than a page at least.
        "count": count if count is not None else ROWS + 1,
        "most_counted": MOST_COUNTED if count is not None else ROWS,
        "latest": latest,
        "older": _after(filtered, rows[ROWS - 1]) if len(rows) > ROWS else "",
        "is_older": place is not None,
        "views": SavedView.objects.for_menu(request.user),
        "view_form": ViewForm(request.user),
        "now": timezone.now(),
    }
    response = render(request, "history/_table.html" if request.htmx else "history/page.html", context)
    # Page and fragment share an address: without this the browser's Back button would show the fragment alone.
    patch_vary_headers(response, ["HX-Request"])
    if request.htmx:
        push_address(request, response, reverse("history"), filtered.query)
    return response


@require_GET
def new_calls(request: SignedInRequest) -> HttpResponse:
    """How many calls fit the query that came after the newest one that its page knew of: nothing, or a link to them."""
    since = row_id(request.GET.get("since", ""))
    filtered = _filtered(request)
    number = filtered.count_since(since, MOST_NEW) if since is not None else 0
    return render(request, "history/_new.html", {"number": number, "most": MOST_NEW, "filter": filtered})


def _filtered(request: SignedInRequest) -> CallFilter:
    sight = request.user.sight
    return CallFilter(request.GET, Call.objects.seen_by(sight), sight)


def _after(filtered: CallFilter, last: Call) -> str:
    return urlencode(filtered.asked | {"after": f"{last.received_at.isoformat()},{last.pk}"})


def _place(text: str) -> Place | None:
    """Where the page before ended; None where the text says no such thing."""
    at, _, last = text.partition(",")
    pk = row_id(last)
    try:
        received_at = parse_datetime(at)
        if received_at is None or timezone.is_naive(received_at) or pk is None:
            return None
        return received_at.astimezone(UTC), pk
    except (ValueError, OverflowError):
        return None
