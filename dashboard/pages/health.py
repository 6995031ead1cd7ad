"""What monitoring asks for; no page needs a sign-in, and none shows whose calls they are."""

from django.contrib.auth.decorators import login_not_required
from django.db import Error as DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from prometheus_client import CONTENT_TYPE_LATEST

from calls import metrics as counts
from calls.live import publish
from calls.models import VendorApp


@login_not_required
@require_GET
@never_cache
def process(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok", content_type="text/plain")


@login_not_required
@require_GET
@never_cache
def ready(request: HttpRequest) -> HttpResponse:
    """Database and channel layer answer; 503 and which one, where one doesn't."""
    checks = {"database": _database_answers(), "channel_layer": publish.layer_answers()}
    return JsonResponse(checks, status=200 if all(checks.values()) else 503)


@login_not_required
@require_GET
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Counts in Prometheus' text form."""
    return HttpResponse(counts.as_text(), content_type=CONTENT_TYPE_LATEST)


def _database_answers() -> bool:
    try:
        VendorApp.objects.exists()  # not SELECT 1, which an empty database answers too
    except DatabaseError:
        return False
    return True
