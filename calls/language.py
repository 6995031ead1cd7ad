"""In which language somebody reads; pages and sockets agree on it."""

from collections.abc import Mapping

from django.conf import settings


def language_of(cookies: Mapping[str, str]) -> str:
    """The language that the reader chose, or the installation's."""
    chosen = cookies.get(settings.LANGUAGE_COOKIE_NAME, "")
    return chosen if chosen in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
