from typing import TypedDict

from django.conf import settings
from django.http import HttpRequest
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from calls.away import MINUTES as AWAY_MINUTES

from .looks import theme_of


class Place(TypedDict):
    url_name: str
    icon: str
    label: str | Promise
    for_supervisors: bool


PLACES: list[Place] = [
    {"url_name": "board", "icon": "ringing", "label": _("Calls"), "for_supervisors": False},
    {"url_name": "follow_ups", "icon": "follow-up", "label": _("Follow up"), "for_supervisors": False},
    {"url_name": "history", "icon": "history", "label": _("History"), "for_supervisors": False},
    {"url_name": "reports", "icon": "reports", "label": _("Reports"), "for_supervisors": False},
    {"url_name": "callbacks", "icon": "callbacks", "label": _("Callback log"), "for_supervisors": True},
    {"url_name": "floor", "icon": "people", "label": _("Floor"), "for_supervisors": True},
]


def navigation(request: HttpRequest) -> dict[str, object]:
    """For every page: the places in its menu, whether this is the demo, the colours, and for how long its reader may
    go away.

    Who is signed in is for the menu to look at: a page that says that the database is away has none.
    """
    return {"places": PLACES, "demo": settings.DEMO, "theme": theme_of(request), "away_minutes": AWAY_MINUTES}
