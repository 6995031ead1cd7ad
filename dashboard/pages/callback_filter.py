"""The filters of the callback log, as they stand in its address."""

from __future__ import annotations

import django_filters as filters
from django.utils.text import capfirst
from django.utils.translation import gettext_lazy as _

from calls.models import Callback, VendorApp


def _results() -> list[tuple[str, str]]:
    """Called for each form, since the labels depend on the language."""
    return [(value, capfirst(str(label))) for value, label in Callback.Result.choices]


class CallbackFilter(filters.FilterSet):
    app = filters.ModelChoiceFilter(label=_("Vendor app"), queryset=VendorApp.objects.all(), empty_label=_("Any app"))
    result = filters.ChoiceFilter(label=_("Result"), choices=_results, empty_label=_("Any result"))
