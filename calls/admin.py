"""Configuration: forms that help, for admins alone."""

from __future__ import annotations

import logging
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.auth.admin import UserAdmin
from django.contrib.auth.forms import BaseUserCreationForm, UserChangeForm
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseNotAllowed, JsonResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path, reverse
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from . import contact_data, tokens
from .live import publish
from .models import Account, Avatar, Contact, FollowUp, Person, Purge, Reason, Team, UnreadBody, VendorApp
from .vendor import client, errors, reasons

logger = logging.getLogger(__name__)

admin.site.site_header = admin.site.site_title = _("Ringdesk")
admin.site.index_title = _("Configuration")
admin.site.unregister(Group)  # people have teams instead

TESTED_WITHIN = 6.0  # seconds


class VendorAppForm(forms.ModelForm):
    """Secrets are written, never shown again; one left empty stays as it is."""

    SECRETS = ("app_secret", "access_token", "aes_key")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name in self.SECRETS:
            if name in self.fields and getattr(self.instance, name):
                self.fields[name].required = False
                self.fields[name].widget.attrs["placeholder"] = gettext("is set; leave empty to keep it")

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("app_secret") and cleaned.get("access_token"):
            raise forms.ValidationError(_("Give an app_secret or a fixed access_token, not both."))
        replaced = "app_secret" if cleaned.get("access_token") else "access_token" if cleaned.get("app_secret") else ""
        for name in self.SECRETS:
            # One of the two ways to a token replaces the other.
            if not cleaned.get(name) and name != replaced:
                cleaned[name] = getattr(self.instance, name)
        return cleaned

    class Meta:
        model = VendorApp
        fields = [
            "name",
            "base_url",
            "app_id",
            "app_secret",
            "access_token",
            "aes_key",
            "callback_secret",
            "allowlist",
            "allow_plain_json",
            "ring_seconds",
        ]
        # As the vendor spells them; Django would capitalise them.
        labels = {"app_id": "app_id", "app_secret": "app_secret", "aes_key": "encoding_aes_key"}
        widgets = {
            name: forms.PasswordInput(attrs={"autocomplete": "new-password"})
            for name in ("app_secret", "access_token", "aes_key")
        }


@admin.register(VendorApp)
class VendorAppAdmin(admin.ModelAdmin):
    form = VendorAppForm
    list_display = ["name", "base_url", "app_id", "ring_seconds"]
    readonly_fields = ["callback_address", "mapping_helper"]
    actions = ["test_credentials"]
    fieldsets = [
        (None, {"fields": ["name", "base_url", "app_id", "app_secret", "access_token", "aes_key"]}),
        (
            _("Callbacks"),
            {
                "fields": [
                    "callback_address",
                    "callback_secret",
                    "allowlist",
                    "allow_plain_json",
                    "ring_seconds",
                    "mapping_helper",
                ]
            },
        ),
    ]

    class Media:
        js = ["dashboard/copy.js"]

    @admin.display(description=_("callback address"))
    def callback_address(self, app: VendorApp) -> SafeString | str:
        if not app.pk:
            return gettext("Shown once this is saved.")
        return format_html(
            '<code>{0}</code> <button type="button" class="button" data-copy="{0}" data-copied="{1}">{2}</button>',
            app.callback_url,
            gettext("Copied"),
            gettext("Copy"),
        )

    @admin.display(description=_("Where the values stand in a notice"))
    def mapping_helper(self, app: VendorApp) -> SafeString | str:
        if not app.pk:
            return gettext("Shown once this is saved.")
        return format_html('<a href="{}">{}</a>', reverse("mapping", args=[app.pk]), gettext("Mapping helper"))

    @admin.action(description=_("Test the credentials"))
    def test_credentials(self, request: HttpRequest, apps: QuerySet[VendorApp]) -> None:
        for app in apps:
            level, words = credentials_work(app)
            self.message_user(request, f"{app.name}: {words}", level)

    def save_model(self, request: HttpRequest, obj: VendorApp, form: Any, change: bool) -> None:
        obj.forget_token()
        super().save_model(request, obj, form, change)


def credentials_work(app: VendorApp) -> tuple[int, str]:
    """Ask the vendor for something harmless; the level of the message, and what came of it in words."""
    if not app.has_credentials:
        return messages.ERROR, gettext("there is neither an app_secret nor a fixed access_token.")
    try:
        token = tokens.current(app, lambda: TESTED_WITHIN)
        answer = client.list_accounts(tokens.credentials_of(app), token, TESTED_WITHIN)
        if answer.errcode in errors.TOKEN_CODES and not app.access_token:  # renewed once, as for a reject
            token = tokens.current(app, lambda: TESTED_WITHIN, not_this=token)
            answer = client.list_accounts(tokens.credentials_of(app), token, TESTED_WITHIN)
    except tokens.TokenRefused as refused:
        answer = refused.answer
    except client.NotSent as error:
        return messages.ERROR, gettext("the vendor could not be reached (%(why)s). Check the address.") % {
            "why": errors.failure(str(error))
        }
    except client.NoAnswer as error:
        return messages.ERROR, gettext("the vendor's answer made no sense (%(why)s). Check the address.") % {
            "why": errors.failure(str(error))
        }
    if answer.accepted:
        return messages.SUCCESS, gettext("the credentials work (%(ms)s ms).") % {"ms": answer.milliseconds}
    return messages.ERROR, gettext("the vendor refused: %(reason)s (%(code)s).") % {
        "reason": errors.explain(answer.errcode).text,
        "code": answer.errcode,
    }


@admin.register(Account)
class AccountAdmin(admin.ModelAdmin):
    list_display = ["__str__", "wxid", "team", "app", "created_at"]
    list_filter = ["team", "app"]
    search_fields = ["name", "wxid"]
    fields = ["app", "wxid", "name", "team", "created_at"]
    readonly_fields = ["app", "wxid", "created_at"]
    list_select_related = ["team", "app"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False  # accounts make themselves

    def has_delete_permission(self, request: HttpRequest, obj: Account | None = None) -> bool:
        return False  # the writer remembers their ids

    def save_model(self, request: HttpRequest, obj: Account, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(publish.boards_changed)


@admin.register(Contact)
class ContactAdmin(admin.ModelAdmin):
    list_display = ["__str__", "wxid", "mark", "app"]
    list_filter = ["mark", "app"]
    search_fields = ["remark", "nickname", "wxid"]
    fields = readonly_fields = (
        *("app", "wxid", "nickname", "avatar", "fetched"),
        *("remark", "in_words", "mark", "changed_by", "changed_at"),
    )
    list_select_related = ["app"]
    show_full_result_count = False

    @admin.display(description=_("tags"))
    def in_words(self, contact: Contact) -> str:
        return " · ".join(contact.tags)

    @admin.display(description=_("picture"))
    def fetched(self, contact: Contact) -> SafeString | str:
        """It, and why the last try brought none."""
        avatar = Avatar.objects.filter(pk=contact.pk).defer("picture").first()
        if avatar is None:
            return gettext("not fetched")
        said = avatar.failure and format_html(
            "{}: {}", date_format(localtime(avatar.tried_at), "DATETIME_FORMAT"), avatar.failure
        )
        address = avatar.version and reverse("avatar", args=[contact.pk, avatar.version])
        return format_html('<img src="{}" alt="" width="52" height="52"> {}', address, said) if address else said

    def get_urls(self) -> list[URLPattern]:
        pages = [
            path("<int:pk>/export/", self.admin_site.admin_view(self.export), name="calls_contact_export"),
            path("<int:pk>/erase/", self.admin_site.admin_view(self.erase), name="calls_contact_erase"),
        ]
        return pages + super().get_urls()

    def export(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """All that is kept about somebody, as a file."""
        if request.method != "GET":
            return HttpResponseNotAllowed(["GET"])
        contact = get_object_or_404(Contact.objects.select_related("app"), pk=pk)
        data = contact_data.export(contact)
        _put_on_record(request, pk, CHANGE, gettext("Exported the data."))
        answer = JsonResponse(data, json_dumps_params={"ensure_ascii": False, "indent": 2})
        answer["Content-Disposition"] = f'attachment; filename="contact-{pk}.json"'
        return answer

    def erase(self, request: HttpRequest, pk: int) -> HttpResponseBase:
        """Asked for first, and then done."""
        contact = get_object_or_404(Contact.objects.select_related("app"), pk=pk)
        if request.method == "POST":
            return self._erased(request, contact)
        context = self.admin_site.each_context(request) | {
            "title": gettext("Erase a contact"),
            "opts": self.opts,
            "contact": contact,
            "calls": contact.calls.count(),
        }
        return TemplateResponse(request, "admin/calls/contact/erase.html", context)

    def _erased(self, request: HttpRequest, contact: Contact) -> HttpResponseBase:
        pk = contact.pk
        try:
            erased = contact_data.erase(contact)
        except contact_data.StillBusy:
            self.message_user(
                request,
                gettext("A call of this contact is not over, or its reject is not on record yet. Do it again in a minute."),
                messages.ERROR,
            )
            return redirect("admin:calls_contact_change", pk)
        _put_on_record(request, pk, DELETION, gettext("Erased the data."))
        stay = ngettext("Erased. %(calls)s call stays on record.", "Erased. %(calls)s calls stay on record.", erased.calls)
        self.message_user(request, stay % {"calls": erased.calls})
        if unknown := erased.unread_unknown:
            text = ngettext(
                "%(count)s kept callback can't be read, so nobody can tell what it holds.",
                "%(count)s kept callbacks can't be read, so nobody can tell what they hold.",
                unknown,
            )
            self.message_user(request, text % {"count": unknown}, messages.WARNING)
        return redirect("admin:calls_contact_changelist")

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Contact | None = None) -> bool:
        return False


def _put_on_record(request: HttpRequest, pk: int, flag: int, what: str) -> None:
    """That an admin did something about a contact: by its number alone, since it may be about to be forgotten."""
    logger.info("contact %d: %s did this: %s", pk, request.user.get_username(), what)
    LogEntry.objects.create(
        user=cast(Person, request.user),
        content_type=ContentType.objects.get_for_model(Contact),
        object_id=str(pk),
        object_repr=f"#{pk}",
        action_flag=flag,
        change_message=what,
    )


@admin.register(Reason)
class ReasonAdmin(admin.ModelAdmin):
    list_display = ["text", "team", "place"]
    list_filter = ["team"]
    list_select_related = ["team"]
    fields = ["team", "place", "text"]


@admin.register(Team)
class TeamAdmin(admin.ModelAdmin):
    list_display = ["name", "follow_up"]
    search_fields = ["name"]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        """A script that knows nothing of the setting leaves it out, and the team gets what is usual."""
        return super().formfield_for_choice_field(db_field, request, required=False, **kwargs)

    def save_model(self, request: HttpRequest, obj: Team, form: Any, change: bool) -> None:
        super().save_model(request, obj, form, change)
        transaction.on_commit(publish.boards_changed)


@admin.register(FollowUp)
class FollowUpAdmin(admin.ModelAdmin):
    list_display = ["added_at", "contact", "team", "added_by", "taken_by", "done_by", "done_at", "note"]
    list_display_links = None
    list_filter = ["team"]
    list_select_related = ["contact", "team", "added_by", "taken_by", "done_by"]
    show_full_result_count = False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: FollowUp | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: FollowUp | None = None) -> bool:
        return False


class NewPersonForm(BaseUserCreationForm):
    class Meta:
        model = Person
        fields = ["username"]


class PersonForm(UserChangeForm):
    class Meta:
        model = Person
        fields = ["username", "password", "name", "role", "teams", "all_accounts", "is_active", "must_change_password"]


@admin.register(Person)
class PersonAdmin(UserAdmin):
    form = PersonForm
    add_form = NewPersonForm
    list_display = ["username", "name", "role", "all_accounts", "is_active"]
    list_filter = ["role", "is_active", "teams"]
    search_fields = ["username", "name"]
    ordering = ["username"]
    filter_horizontal = ()
    fieldsets = (
        (None, {"fields": ["username", "password", "name", "role"]}),
        (_("Which calls"), {"fields": ["teams", "all_accounts"]}),
        (_("Sign-in"), {"fields": ["is_active", "must_change_password"]}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ["wide"],
                "fields": [
                    "username",
                    "name",
                    "role",
                    "password1",
                    "password2",
                    "teams",
                    "all_accounts",
                    "must_change_password",
                ],
            },
        ),
    )

    def formfield_for_manytomany(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        return super().formfield_for_manytomany(db_field, request, widget=forms.CheckboxSelectMultiple, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Person | None = None) -> bool:
        return False  # history keeps its people; deactivate instead


@admin.register(Purge)
class PurgeAdmin(admin.ModelAdmin):
    list_display = ["day", "what", "removed", "before"]
    list_display_links = None
    list_filter = ["what"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Purge | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Purge | None = None) -> bool:
        return False


@admin.register(UnreadBody)
class UnreadBodyAdmin(admin.ModelAdmin):
    list_display = ["received_at", "app", "why"]
    list_filter = ["app"]
    fields = readonly_fields = ("received_at", "app", "why")

    @admin.display(description=_("reason"))
    def why(self, body: UnreadBody) -> str:
        return reasons.in_words(body.reason)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: UnreadBody | None = None) -> bool:
        return False
