"""What happens to every request before its page: static files, compression, language, sign-in, time zone."""

from __future__ import annotations

import zoneinfo
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.middleware.gzip import GZipMiddleware, re_accepts_gzip
from django.shortcuts import redirect, resolve_url
from django.urls import resolve
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django_htmx.http import HttpResponseClientRedirect
from whitenoise.middleware import WhiteNoiseMiddleware

from calls import patience
from calls.language import language_of

from . import static_files

Handler = Callable[[HttpRequest], HttpResponseBase]

WORTH_COMPRESSING = 4096  # bytes
OPEN_WITH_AN_OLD_PASSWORD = {"password_change", "logout", "set_language"}


class StaticFiles(WhiteNoiseMiddleware):
    """WhiteNoise, answering with whole files: ours are small, and under ASGI a streamed one warns and costs more."""

    get_response: Handler

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        path, is_ours = static_files.without_version(request.path_info)
        file = self.find_file(path) if self.autorefresh else self.files.get(path)
        if file is None:
            return self.get_response(request)
        response = self.serve(file, request)
        if is_ours and not self.autorefresh:
            response["Cache-Control"] = f"max-age={self.FOREVER}, public, immutable"
        return response

    @staticmethod
    def serve(static_file: Any, request: HttpRequest) -> HttpResponse:
        found = static_file.get_response(request.method, request.META)
        response = HttpResponse(status=int(found.status))
        del response["content-type"]
        for name, value in found.headers:
            response[name] = value
        if found.file:
            with found.file as file:
                response.content = file.read()
        if response.content and response.status_code == HTTPStatus.OK:
            _compress(response, request)
        return response


def _compress(response: HttpResponse, request: HttpRequest) -> None:
    """A file: once, and where that makes it smaller, which it doesn't make a picture."""
    smaller = static_files.compressed(response.content)
    if len(smaller) >= len(response.content):
        return
    patch_vary_headers(response, ["Accept-Encoding"])
    if re_accepts_gzip.search(request.META.get("HTTP_ACCEPT_ENCODING", "")):
        response.content = smaller
        response["Content-Encoding"] = "gzip"
        response["Content-Length"] = str(len(smaller))


class CompressedPages(GZipMiddleware):
    """Pages. A small answer, such as the card for a click, would come no sooner; an export is sent as it is made."""

    def process_response(self, request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.streaming or len(response.content) < WORTH_COMPRESSING:  # type: ignore[attr-defined]
            return response
        return super().process_response(request, response)


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
