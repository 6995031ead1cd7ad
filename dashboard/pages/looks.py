"""In which colours a reader's browser shows every page. A cookie, so that no page appears in other ones first."""

from django.conf import settings
from django.db.models import TextChoices
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

COOKIE = "theme"
A_YEAR = 365 * 24 * 60 * 60  # seconds


class Theme(TextChoices):
    AUTOMATIC = "", _("As the system has it")
    LIGHT = "light", _("Light")
    DARK = "dark", _("Dark")


def theme_of(request: HttpRequest) -> str:
    """What was chosen last, or else what the system has."""
    chosen = request.COOKIES.get(COOKIE, "")
    return chosen if chosen in Theme.values else Theme.AUTOMATIC


def remember(response: HttpResponse, theme: str) -> None:
    response.set_cookie(COOKIE, theme, max_age=A_YEAR, samesite="Lax", httponly=True, secure=settings.BEHIND_HTTPS)
