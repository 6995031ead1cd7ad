"""Pages for what goes wrong; htmx is told to load the page anew where that helps."""

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import render
from django_htmx.http import HttpResponseClientRefresh


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "errors/404.html", status=404)


def server_error(request: HttpRequest) -> HttpResponse:
    return render(request, "errors/500.html", status=500)


@login_not_required
def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Usually a page that was open while somebody signed in elsewhere in the same browser."""
    if "HX-Request" in request.headers:
        response = HttpResponseClientRefresh()
        response.status_code = 403
        return response
    return render(request, "errors/403.html", status=403)
