"""Exports: history taken away as a file, at once or to be fetched later, and the record of who took what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import Http404, HttpResponse, HttpResponseBase, QueryDict, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from calls.models import Export

from ..exports import asked, files, making
from ..exports.streaming import Streamed
from .requests import SignedInRequest, row_id

ROWS = 20
AT_ONCE = 5000  # calls that a browser gets without waiting; more are put into a file to be fetched
RUNNING_AT_MOST = 5  # for one person
BLOCK = 256 * 1024  # bytes


@require_GET
def export_csv(request: SignedInRequest) -> HttpResponseBase:
    return _at_once(request, Export.Format.CSV)


@require_GET
def export_xlsx(request: SignedInRequest) -> HttpResponseBase:
    return _at_once(request, Export.Format.XLSX)


@require_http_methods(["GET", "POST"])
def exports(request: SignedInRequest) -> HttpResponseBase:
    """One's own, for supervisors everybody's, newest first; each page begins after the last row of the one before."""
    if request.method == "POST":
        return _ask_for(request)
    seen = _seen_by(request)
    if (before := row_id(request.GET.get("before", ""))) is not None:
        seen = seen.filter(pk__lt=before)
    rows = list(seen[: ROWS + 1])
    context = {
        "rows": _described(request, rows[:ROWS]),
        "next": rows[ROWS - 1].pk if len(rows) > ROWS else None,
        "now": timezone.now(),
    }
    return render(request, "exports/page.html", context)


@require_GET
def export_row(request: SignedInRequest, pk: int) -> HttpResponse:
    """One row, which asks for itself while its export runs."""
    export = get_object_or_404(_seen_by(request), pk=pk)
    [row] = _described(request, [export])
    return render(request, "exports/_row.html", {"row": row})


@require_GET
def export_file(request: SignedInRequest, pk: int) -> HttpResponseBase:
    export = get_object_or_404(_seen_by(request), pk=pk, state=Export.State.DONE)
    if not export.file or not export.may_be_fetched_by(request.user, request.user.sight):
        raise Http404
    try:
        size, blocks = files.path_of(export).stat().st_size, _blocks(export)
    except FileNotFoundError:
        return render(request, "exports/not_here.html", status=404)
    response = _download(export, blocks)
    response["Content-Length"] = str(size)  # so that a part of it is not taken for the whole
    return response


@require_POST
def cancel_export(request: SignedInRequest, pk: int) -> HttpResponse:
    """Whoever makes it finds out within a second, and removes what there is."""
    export = get_object_or_404(_seen_by(request), pk=pk)
    if export.person != request.user and not request.user.is_admin:
        raise Http404
    running = Export.objects.filter(pk=pk, state=Export.State.RUNNING)
    running.update(state=Export.State.CANCELLED, finished_at=timezone.now(), file="")
    return redirect("exports")


def _at_once(request: SignedInRequest, format: Export.Format) -> HttpResponseBase:
    filtered = asked.filtered(request.GET, request.user.sight)
    if not filtered.is_valid():  # never an export of everything
        return render(request, "exports/refused.html", {"filter": filtered}, status=400)
    export = making.put_on_record(request.user, format, asked.to_record(filtered))
    return _download(export, making.at_once(export))


def _ask_for(request: SignedInRequest) -> HttpResponse:
    """What is small goes out at once; the rest is made in the background."""
    format, query = request.POST.get("format", ""), QueryDict(request.POST.get("query", ""))
    if format not in Export.Format:
        raise Http404
    filtered = asked.filtered(query, request.user.sight)
    if not filtered.is_valid():
        return redirect(f"{reverse('history')}?{query.urlencode()}")  # which says why
    to_record = asked.to_record(filtered)
    if len(filtered.qs.order_by().values_list("pk")[: AT_ONCE + 1]) <= AT_ONCE:
        return redirect(f"{reverse(f'export_{format}')}?{to_record}")
    if request.user.exports.filter(state=Export.State.RUNNING).exclude(file="").count() >= RUNNING_AT_MOST:
        messages.warning(request, gettext("Several exports of yours are running. Wait for one, or cancel one."))
    else:
        making.in_background(request.user, format, to_record)
    return redirect("exports")


def _seen_by(request: SignedInRequest) -> QuerySet[Export]:
    found = Export.objects.select_related("person")
    return found if request.user.is_supervisor else found.filter(person=request.user)


def _described(request: SignedInRequest, exports: Iterable[Export]) -> list[dict[str, Any]]:
    """As rows of the list, each with what this reader may know of it and do with it."""
    person, sight = request.user, request.user.sight
    return [
        {
            "export": export,
            "filters": asked.in_words(export, sight),
            "may_cancel": export.person == person or person.is_admin,
            "may_fetch": bool(export.file) and export.may_be_fetched_by(person, sight),
        }
        for export in exports
    ]


def _download(export: Export, parts: Iterator[bytes]) -> StreamingHttpResponse:
    asked_at = timezone.localtime(export.requested_at, timezone.get_current_timezone())
    response = StreamingHttpResponse(Streamed(parts), content_type=making.FORMATS[Export.Format(export.format)].CONTENT_TYPE)
    name = f"ringdesk-{asked_at:%Y-%m-%d-%H%M}.{export.format}"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    response["Cache-Control"] = "private, no-store"
    response["X-Accel-Buffering"] = "no"  # a proxy that gathered the whole would say nothing meanwhile
    return response


def _blocks(export: Export) -> Iterator[bytes]:
    with files.path_of(export).open("rb") as file:
        while block := file.read(BLOCK):
            yield block
