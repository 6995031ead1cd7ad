"""What every page of a supervisor says by itself: what is wrong, since when, and what to do."""

from django.http import HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from calls import watch
from calls.models import Call

from .requests import SignedInRequest
from .roles import supervisors_only

UNSEEN_COUNTED = 1000
ACCOUNTS_NAMED = 3


@require_GET
@never_cache
@supervisors_only
def alarms(request: SignedInRequest) -> HttpResponse:
    """Asked for by every open page each few seconds; empty while there is nothing to say."""
    now = timezone.now()
    state = watch.state(now)
    unseen = Call.objects.unseen(now).order_by("received_at").values_list("received_at", flat=True)
    context = {
        "state": state,
        "unseen": list(unseen[:UNSEEN_COUNTED]),
        "accounts": state.accounts[:ACCOUNTS_NAMED],
        "accounts_more": max(0, len(state.accounts) - ACCOUNTS_NAMED),
    }
    return render(request, "alarms/_alarms.html", context)
