"""History: which calls came, and who rejected which."""

from __future__ import annotations

from datetime import UTC, datetime

from django.http import HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.dateparse import parse_datetime
from django.views.decorators.http import require_GET

from calls.models import Call

from .history_filter import CallFilter
from .requests import SignedInRequest

ROWS = 50
OTHER_CALLS = 10


@require_GET
def history(request: SignedInRequest) -> HttpResponse:
    """Calls newest first, filtered by the query; each page begins after the last call of the one before."""
    sight = request.user.sight
    filtered = CallFilter(request.GET, Call.objects.seen_by(sight), sight)
    # A filter that makes no sense finds nothing, and says why; it never silently finds everything.
    calls = filtered.qs.for_history() if filtered.is_valid() else Call.objects.none()
    if after := _place(request.GET.get("after", "")):
        calls = calls.before(*after)
    rows = list(calls[: ROWS + 1])
    context = {
        "filter": filtered,
        "calls": rows[:ROWS],
        "next": _next_page(request, rows[ROWS - 1]) if len(rows) > ROWS else "",
        "filtered": any(request.GET.get(name) for name in filtered.filters),
        "now": timezone.now(),
    }
    response = render(request, "history/_table.html" if request.htmx else "history/page.html", context)
    # Page and fragment share an address: without this the browser's Back button would show the fragment alone.
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_GET
def call(request: SignedInRequest, pk: int) -> HttpResponse:
    """One call: what happened to it, step by step, and the same contact's other calls."""
    seen = Call.objects.seen_by(request.user.sight)
    found = get_object_or_404(seen.for_history(), pk=pk)
    context = {
        "call": found,
        "attempts": found.attempts.select_related("person"),
        "others": seen.for_history().filter(contact=found.contact).exclude(pk=pk)[:OTHER_CALLS],
    }
    return render(request, "history/call.html", context)


def _next_page(request: SignedInRequest, last: Call) -> str:
    query = request.GET.copy()
    query["after"] = f"{last.received_at.isoformat()},{last.pk}"
    return query.urlencode()


def _place(text: str) -> tuple[datetime, int] | None:
    """Where the page before ended; None where the text says no such thing."""
    at, _, pk = text.partition(",")
    try:
        received_at = parse_datetime(at)
        if received_at is None or timezone.is_naive(received_at) or not pk.isdecimal() or len(pk) > 18:
            return None
        return received_at.astimezone(UTC), int(pk)
    except (ValueError, OverflowError):
        return None
