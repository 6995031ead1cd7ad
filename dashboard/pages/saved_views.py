"""Saved views: searches of history under a name, one's own and those that are shared with a team."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST

from calls.models import Call, Person, SavedView, Team

from ..filters.call_filter import CallFilter
from .requests import SignedInRequest


class ViewForm(forms.Form):
    name = forms.CharField(
        label=_("Name"),
        max_length=SavedView._meta.get_field("name").max_length,
        error_messages={"required": _("Give it a name.")},
    )
    team = forms.ModelChoiceField(
        label=_("Shared with"),
        queryset=Team.objects.none(),
        required=False,
        empty_label=_("Nobody: for me alone"),
        error_messages={"invalid_choice": _("It can be shared with teams of your own only.")},
    )

    def __init__(self, person: Person, data: QueryDict | None = None) -> None:
        super().__init__(data, auto_id=False)
        self.fields["team"].queryset = teams_of(person)  # type: ignore[attr-defined]


def teams_of(person: Person) -> QuerySet[Team]:
    """With whom this person may share a view."""
    return Team.objects.all() if person.is_supervisor else person.teams.all()


@require_POST
def save_view(request: SignedInRequest) -> HttpResponse:
    """Keep a search under a name; one's own view of that name is replaced."""
    form = ViewForm(request.user, request.POST)
    asked = CallFilter(QueryDict(request.POST.get("query", "")), Call.objects.none(), request.user.sight)
    if not asked.is_valid():
        messages.error(request, gettext("This search makes no sense, so it can't be saved. Change its filters."))
    elif not form.is_valid():
        for errors in form.errors.values():
            messages.error(request, " ".join(str(error) for error in errors))
    else:
        values = {"query": asked.query, "team": form.cleaned_data["team"]}
        view, is_new = SavedView.objects.update_or_create(
            owner=request.user, name=form.cleaned_data["name"], defaults=values
        )
        said = (
            gettext("View “%(name)s” saved.") if is_new else gettext("View “%(name)s” replaced: there was one of that name.")
        )
        messages.success(request, said % {"name": view.name})
    return redirect(f"{reverse('history')}?{asked.query}")


@require_POST
def delete_view(request: SignedInRequest, pk: int) -> HttpResponse:
    """Delete a view of one's own. Those of others are not there to be deleted."""
    view = get_object_or_404(SavedView, pk=pk, owner=request.user)
    view.delete()
    messages.success(request, gettext("View “%(name)s” deleted.") % {"name": view.name})
    return redirect("history")
