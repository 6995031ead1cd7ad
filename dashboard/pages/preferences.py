"""What somebody sets for the browser that they sit at. The server knows the looks, the browser alone sound and keys."""

from django import forms
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_http_methods

from calls.push import services

from . import looks
from .requests import SignedInRequest


class LooksForm(forms.Form):
    theme = forms.ChoiceField(label=_("Colours"), choices=looks.Theme.choices, widget=forms.RadioSelect, required=False)


@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: SignedInRequest) -> HttpResponse:
    if request.method != "POST":
        return _page(request, LooksForm(initial={"theme": looks.theme_of(request)}))
    form = LooksForm(request.POST)
    if not form.is_valid():
        return _page(request, form)
    response = redirect("preferences")
    looks.remember(response, form.cleaned_data["theme"])
    return response


def _page(request: SignedInRequest, form: LooksForm) -> HttpResponse:
    return render(request, "preferences/page.html", {"looks": form, "push_key": services.public_key()})
