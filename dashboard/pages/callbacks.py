"""The callback log: what the vendor pushed, what became of it, and what is kept because it could not be read."""

from __future__ import annotations

from django.contrib import messages
from django.db import Error as DatabaseError
from django.http import HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from calls import replay, watch
from calls.models import Callback, UnreadBody, VendorApp
from calls.replay import Tally

from .callback_filter import CallbackFilter
from .requests import SignedInRequest, row_id
from .roles import supervisors_only

ROWS = 50
KEPT_SHOWN = 10


@require_GET
@supervisors_only
def callbacks(request: SignedInRequest) -> HttpResponse:
    """Newest first, filtered by the query; each page begins after the last row of the one before."""
    now = timezone.now()
    filtered = CallbackFilter(request.GET, Callback.objects.select_related("app", "replayed_by").order_by("-id"))
    # A filter that makes no sense finds nothing, and says why; it never silently finds everything.
    log = filtered.qs if filtered.is_valid() else Callback.objects.none()
    if after := row_id(request.GET.get("after", "")):
        log = log.filter(pk__lt=after)
    rows = list(log[: ROWS + 1])
    context = {
        "filter": filtered,
        "rows": rows[:ROWS],
        "next": _next_page(request, rows[ROWS - 1]) if len(rows) > ROWS else "",
        "filtered": any(request.GET.get(name) for name in filtered.filters),
        "now": now,
    }
    if request.htmx:
        response = render(request, "callbacks/_log.html", context)
    else:
        kept = list(UnreadBody.objects.defer("body").select_related("app")[: KEPT_SHOWN + 1])
        context |= {"state": watch.state(now), "kept": kept[:KEPT_SHOWN], "kept_more": len(kept) > KEPT_SHOWN}
        response = render(request, "callbacks/page.html", context)
    # Page and fragment share an address: without this the browser's Back button would show the fragment alone.
    patch_vary_headers(response, ["HX-Request"])
    return response


@require_POST
@supervisors_only
def replay_one(request: SignedInRequest, pk: int) -> HttpResponse:
    """Read a kept callback once more."""
    try:
        tally = replay.replay(pk, request.user)
    except DatabaseError:
        messages.error(request, gettext("The database could not take it now. Try again."))
    else:
        _say(request, tally, gettext("It is no longer kept: somebody else replayed it, or it was deleted."))
    return redirect("callbacks")


@require_POST
@supervisors_only
def replay_all(request: SignedInRequest) -> HttpResponse:
    """Read all that is kept once more, of one vendor app where the form names it."""
    name = request.POST.get("app", "")
    app = get_object_or_404(VendorApp, pk=row_id(name)) if name else None
    try:
        tally = replay.replay_all(request.user, app)
    except DatabaseError:
        messages.error(request, gettext("The database could not take it now. Try again."))
    else:
        _say(request, tally, gettext("Nothing is kept."))
    return redirect("callbacks")


def _say(request: SignedInRequest, tally: Tally, nothing: str) -> None:
    watch.forget()
    troubled = tally.unreadable or tally.locked or tally.left
    level = messages.INFO if tally == Tally() else messages.WARNING if troubled else messages.SUCCESS
    messages.add_message(request, level, in_words(tally) or nothing)


def in_words(tally: Tally) -> str:
    """`12 read: 9 calls, 1 pushed before; 3 still unreadable`; empty where nothing was replayed."""
    found = _counted(
        (tally.calls, ngettext("%(count)s call", "%(count)s calls", tally.calls)),
        (tally.duplicates, gettext("%(count)s pushed before")),
        (tally.ends, ngettext("%(count)s end of a call", "%(count)s ends of calls", tally.ends)),
    )
    what = gettext(", ").join(found) or gettext("no calls")
    read = [gettext("%(count)s read: %(what)s") % {"count": tally.read, "what": what}] if tally.read or found else []
    rest = _counted(
        (tally.unreadable, gettext("%(count)s still unreadable")),
        (
            tally.locked,
            gettext(
                "%(count)s can't be decrypted, since SECRET_KEY was another one when they were kept: "
                "start Ringdesk with that key to replay them, or delete them"
            ),
        ),
        (tally.left, gettext("%(count)s not reached in time: replay once more")),
    )
    return gettext("; ").join(read + rest)


def _counted(*parts: tuple[int, str]) -> list[str]:
    """The words of what there is any of, with its number."""
    return [words % {"count": count} for count, words in parts if count]


def _next_page(request: SignedInRequest, last: Callback) -> str:
    query = request.GET.copy()
    query["after"] = str(last.pk)
    return query.urlencode()
