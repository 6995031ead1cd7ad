"""What makes Ringdesk an app that can be installed. Browsers ask for it by themselves, signed in or not."""

from __future__ import annotations

import json
from pathlib import Path

from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.templatetags.static import static
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_language, gettext, pgettext
from django.views.decorators.cache import cache_control
from django.views.decorators.http import require_GET

SERVICE_WORKER = settings.BASE_DIR / "dashboard" / "static" / "dashboard" / "service-worker.js"

# As the stylesheet's --ground and --good; a window that opens has no stylesheet yet.
GROUND = "#f4f5f7"
THEME = "#0a7d4b"


@login_not_required
@require_GET
@cache_control(no_cache=True)
def service_worker(request: HttpRequest) -> HttpResponse:
    """The script, with its words at its head: so they are there when no server is, and a changed word is a new script."""
    head = {"texts": _texts(), "unreached": render_to_string("app/unreached.html")}
    values = "".join(f"self.{name} = {json.dumps(value)};\n" for name, value in head.items())
    response = HttpResponse(values + Path(SERVICE_WORKER).read_text(), content_type="text/javascript")
    patch_vary_headers(response, ["Cookie"])
    return response


def _texts() -> dict[str, str]:
    """What the worker itself says; whatever is about one call comes with that call."""
    return {
        "icon": static("dashboard/icon-192.png"),
        "badge": static("dashboard/badge.png"),
        "board": reverse("board"),
        "reject": gettext("Reject"),
        "asking": gettext("Rejecting…"),
        # What came of a click, by the status of the card that answers it
        "rejected": gettext("Rejected."),
        "rejecting": gettext("Somebody is rejecting it already."),
        "ringing": gettext("Not rejected: it still rings. The board says why."),
        "unconfirmed": gettext("Nobody knows whether it is rejected: the vendor gave no clear answer. Look at the board."),
        "missed": gettext("Too late: this call is over."),
        "ended": gettext("Too late: this call is over."),
        # Or by what happened instead
        "offline": gettext("Your click did not reach the server. Check the connection, then try again on the board."),
        "signed_out": gettext("Not rejected: you are signed out. Click here to sign in."),
        "not_yours": gettext("Not rejected: this call is not one of yours any more."),
        "busy": gettext("The server is too busy to say what came of your click. The board will show it."),
        "failed": gettext("The server could not do that. Try it on the board; if it stays, tell an admin."),
        "test": gettext("Notifications work"),
        "test_body": gettext("A call looks like this: who calls, and which account."),
    }


@login_not_required
@require_GET
@cache_control(no_cache=True)
def manifest(request: HttpRequest) -> JsonResponse:
    """Source: W3C Web Application Manifest."""
    board = reverse("board")
    icons = [
        {"src": reverse("icon", args=[0]), "sizes": "any", "type": "image/svg+xml"},
        {"src": static("dashboard/icon-192.png"), "sizes": "192x192", "type": "image/png"},
        {"src": static("dashboard/icon-512.png"), "sizes": "512x512", "type": "image/png"},
        {"src": static("dashboard/icon-maskable-512.png"), "sizes": "512x512", "type": "image/png", "purpose": "maskable"},
    ]
    about = {
        "id": board,
        "name": gettext("Ringdesk"),
        "short_name": gettext("Ringdesk"),
        "description": pgettext("about the app", "Shows calls to WeCom accounts as they come, and rejects them."),
        "lang": "en" if get_language() == "en" else "zh-Hans",
        "start_url": board,
        "scope": board,
        "display": "standalone",
        "background_color": GROUND,
        "theme_color": THEME,
        "icons": icons,
    }
    response = JsonResponse(about, content_type="application/manifest+json")
    patch_vary_headers(response, ["Cookie"])
    return response
