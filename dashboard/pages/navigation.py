from typing import TypedDict

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Place(TypedDict):
    url_name: str
    icon: str
    label: str | Promise


CALLS: Place = {"url_name": "board", "icon": "ringing", "label": _("Calls")}
HISTORY: Place = {"url_name": "history", "icon": "history", "label": _("History")}
CALLBACKS: Place = {"url_name": "callbacks", "icon": "callbacks", "label": _("Callback log")}


def navigation(request: HttpRequest) -> dict[str, object]:
    """For every page: the places in its menu, and whether this is the demo."""
    places = [CALLS, HISTORY]
    if getattr(request.user, "is_supervisor", False):
        places.append(CALLBACKS)
    return {"places": places, "demo": settings.DEMO}
