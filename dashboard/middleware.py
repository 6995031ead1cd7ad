"""What happens to every request before its page: static files, language, sign-in, time zone."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, resolve_url
from django.urls import resolve
from django.utils import timezone, translation
from django_htmx.http import HttpResponseClientRedirect
from whitenoise.middleware import WhiteNoiseMiddleware

from calls import patience
from calls.language import language_of

Handler = Callable[[HttpRequest], HttpResponseBase]

OPEN_WITH_AN_OLD_PASSWORD = {"password_change", "logout", "set_language"}


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise, answering with whole files. Ours are small, and under ASGI a streamed one warns and costs more."""

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        response = HttpResponse(found.file.read() if found.file else b"", status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        return response


def clicks_first(get_response: Handler) -> Handler:
    """Whoever clicks is told within seconds what came of it, even where the database hangs. Reports may take longer."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        if request.method != "POST":
            return get_response(request)
        with patience.within(patience.HURRIED):
            return get_response(request)

    return middleware


def reader_language(get_response: Handler) -> Handler:
    """The language that the reader chose, or the installation's; the browser's own preference doesn't count."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with translation.override(language_of(request.COOKIES)):
            request.LANGUAGE_CODE = translation.get_language()
            response = get_response(request)
        response.headers.setdefault("Content-Language", request.LANGUAGE_CODE)
        return response

    return middleware


def reader_time_zone(get_response: Handler) -> Handler:
    """The zone that the browser told in a cookie, or the installation's."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        with timezone.override(_zone_named(request.COOKIES.get("timezone", ""))):
            return get_response(request)

    return middleware


def _zone_named(name: str) -> zoneinfo.ZoneInfo | None:
    try:
        return zoneinfo.ZoneInfo(name)
    except (KeyError, ValueError, OSError, RecursionError):  # the last for a long path
        return None


class SignInRequired(LoginRequiredMiddleware):
    """Every page asks for a sign-in unless it says otherwise. A request of htmx sends the whole page to it."""

    def process_view(self, request: HttpRequest, view_func: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        # Looked at before who asks: health checks must answer while the database, and with it the session, is away.
        if not getattr(view_func, "login_required", True):
            return None
        found: HttpResponseBase | None = super().process_view(request, view_func, args, kwargs)
        return found

    def handle_no_permission(  # type: ignore[override]  # the base class redirects, always
        self, request: HttpRequest, view_func: Callable[..., Any]
    ) -> HttpResponseBase:
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponseClientRedirect(resolve_url(self.get_login_url(view_func)))
        return super().handle_no_permission(request, view_func)


def new_password_first(get_response: Handler) -> Handler:
    """Whoever signed in with a one-time password chooses another before anything else."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        return get_response(request)

    def process_view(request: HttpRequest, view_func: Any, args: Any, kwargs: Any) -> HttpResponseBase | None:
        is_open = not getattr(view_func, "login_required", True)
        if is_open or resolve(request.path_info).view_name in OPEN_WITH_AN_OLD_PASSWORD:
            return None
        if not getattr(request.user, "must_change_password", False):
            return None
        if request.htmx:  # type: ignore[attr-defined]
            return HttpResponseClientRedirect(resolve_url("password_change"))
        return redirect("password_change")

    middleware.process_view = process_view  # type: ignore[attr-defined]
    return middleware
