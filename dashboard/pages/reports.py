"""Reports: how many calls came, when, to whom, and what became of them. Every number leads to the calls it counts."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, QueryDict
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.views.decorators.http import require_GET

from calls import reports as figures
from calls.models import DelayCount

from . import report_charts, report_tables
from .report_figures import sum_of
from .report_filter import ReportFilter
from .report_words import filters_in_words
from .requests import SignedInRequest, push_address


@require_GET
def reports(request: SignedInRequest) -> HttpResponse:
    """The whole page, or for HTMX what changes with the filters. Its slower sections are loaded after it."""
    query = _what_is_set(request.GET)
    asked_for = ReportFilter(query, request.user.sight)
    context: dict[str, Any] = {"filter": asked_for, "query": query.urlencode()}
    if not asked_for.errors:
        context |= _figures(asked_for)
    response = render(request, "reports/_report.html" if request.htmx else "reports/page.html", context)
    patch_vary_headers(response, ["HX-Request"])
    if request.htmx:
        push_address(request, response, reverse("reports"), query.urlencode())
    return response


@require_GET
def delay(request: SignedInRequest, until: str) -> HttpResponse:
    """How long it took until the first screen, or until the reject."""
    asked_for = ReportFilter(request.GET, request.user.sight)
    if asked_for.errors:
        return HttpResponse(status=400)
    what = DelayCount.Until[until.upper()]
    now = figures.delay(asked_for.asked, what)
    before = figures.delay(asked_for.before, what) if asked_for.before else None
    return render(request, "reports/_delay.html", {"until": until, "delay": now, "ranks": report_tables.ranks(now, before)})


@require_GET
def breakdown(request: SignedInRequest) -> HttpResponse:
    """Calls by account, team and person."""
    asked_for = ReportFilter(request.GET, request.user.sight)
    if asked_for.errors:
        return HttpResponse(status=400)
    accounts, people = figures.by_account_and_person(asked_for.asked)
    context = {"tables": report_tables.breakdown(accounts, people, asked_for, request.GET.get("full", ""))}
    return render(request, "reports/_breakdown.html", context)


@require_GET
def follow_ups(request: SignedInRequest) -> HttpResponse:
    """How many of the calls led to a follow-up, and what became of these."""
    asked_for = ReportFilter(request.GET, request.user.sight)
    if asked_for.errors:
        return HttpResponse(status=400)
    found = figures.follow_ups(asked_for.asked)
    return render(request, "reports/_follow_ups.html", {"rows": report_tables.follow_ups(found, asked_for), "found": found})


@require_GET
def callers(request: SignedInRequest) -> HttpResponse:
    """Contacts who called several times."""
    asked_for = ReportFilter(request.GET, request.user.sight)
    if asked_for.errors:
        return HttpResponse(status=400)
    found = None
    if asked_for.asked.length <= figures.MOST_DAYS_OF_CALLERS:
        several = figures.repeat_callers(asked_for.asked, report_tables.CALLERS)
        found = report_tables.callers(several, figures.total(asked_for.asked), asked_for)
    return render(request, "reports/_callers.html", {"table": found, "most_days": figures.MOST_DAYS_OF_CALLERS})


def _figures(asked_for: ReportFilter) -> dict[str, Any]:
    hours = figures.by_hour(asked_for.asked, lambda day, hour: (day, hour))
    total = sum_of(hours.values())
    before = figures.total(asked_for.before) if asked_for.before else None
    return {
        "said": filters_in_words(asked_for),
        "headline": report_tables.headline(total, before, asked_for),
        "outcomes": report_charts.outcomes(hours, asked_for),
        "trouble": report_charts.missed_and_unseen(hours, asked_for),
        "week": report_charts.heat_map(hours, asked_for),
    }


def _what_is_set(query: QueryDict) -> QueryDict:
    """Without what a form leaves empty, for addresses that can be read."""
    found = query.copy()
    for name in [name for name, value in found.items() if not value]:
        found.pop(name)
    return found
