"""Which browsers calls are pushed to. Each tells it itself, for whoever sits at it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from django import forms
from django.core.exceptions import ValidationError
from django.http import HttpResponse
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST
from py_vapid.utils import b64urldecode

from calls.models import PushSubscription
from calls.push import services
from calls.push.pushing import pushing

from .requests import SignedInRequest

AUTH_BYTES = 16
NO_SUBSCRIPTION = _("This is not what a browser gives. Turn it on once more.")


class SubscriptionForm(forms.ModelForm):
    """A subscription as the browser made it (W3C Push API, `PushSubscription.toJSON`)."""

    key = forms.CharField()  # the one of ours that it was made with

    class Meta:
        model = PushSubscription
        fields = ["endpoint", "p256dh", "auth"]

    def validate_unique(self) -> None:
        """The same browser subscribes again and again, and whoever signed in last is who it belongs to."""

    def clean_endpoint(self) -> str:
        endpoint: str = self.cleaned_data["endpoint"]
        if not services.is_known(endpoint):
            raise ValidationError(
                _("The push service of this browser is not one that Ringdesk knows. An admin can allow it: PUSH_SERVICES.")
            )
        return endpoint

    def clean_p256dh(self) -> str:
        text: str = self.cleaned_data["p256dh"]
        try:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), _bytes(text))
        except ValueError as error:
            raise ValidationError(NO_SUBSCRIPTION) from error
        return text

    def clean_auth(self) -> str:
        text: str = self.cleaned_data["auth"]
        if len(_bytes(text)) != AUTH_BYTES:
            raise ValidationError(NO_SUBSCRIPTION)
        return text

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if key != services.public_key():
            raise ValidationError(_("The server has another key by now. Turn it on once more."))
        return key


def _bytes(text: str) -> bytes:
    """What this is in base64 for addresses; nothing where it isn't that."""
    try:
        return bytes(b64urldecode(text.encode("ascii")))
    except ValueError:
        return b""


@require_POST
def push_on(request: SignedInRequest) -> HttpResponse:
    """Push calls to this browser while this sign-in lasts. Browsers tell it again with each page, so that it stays true.

    204, or 400 with what is wrong, in words.
    """
    form = SubscriptionForm(request.POST)
    if not form.is_valid():
        return HttpResponse("\n".join(str(error) for errors in form.errors.values() for error in errors), status=400)
    keys = {name: form.cleaned_data[name] for name in SubscriptionForm.Meta.fields}
    PushSubscription.objects.keep(request.user, str(request.session.session_key), get_language() or "", **keys)
    pushing.somebody_subscribed()
    return HttpResponse(status=204)


@require_POST
def push_off(request: SignedInRequest) -> HttpResponse:
    """Push nothing to this browser any more, whoever it belonged to: it alone knows its endpoint."""
    PushSubscription.objects.filter(endpoint=request.POST.get("endpoint", "")).delete()
    return HttpResponse(status=204)
