"""The icon of a page's tab, with the number of calls that ring on it."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_safe

MOST_SHOWN = 9


@login_not_required
@require_safe
@cache_control(public=True, max_age=24 * 60 * 60)
def icon(request: HttpRequest, calls: int) -> HttpResponse:
    """0 is the plain one; more than nine are shown as 9+."""
    number = f"{MOST_SHOWN}+" if calls > MOST_SHOWN else calls
    return render(request, "icon.svg", {"number": number}, content_type="image/svg+xml")
