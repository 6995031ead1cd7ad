"""Texts of Django that its Chinese lacks. Never run: makemessages reads them here, so that our catalog fills the gap."""

from django.utils.translation import gettext_noop, ngettext

gettext_noop("Add link")
gettext_noop("After you’ve created a user, you’ll be able to edit more user options.")
gettext_noop("Change or view list link")
gettext_noop("Error:")
gettext_noop("Model name")
ngettext(
    "This password is too short. It must contain at least %d character.",
    "This password is too short. It must contain at least %d characters.",
    8,
)
