"""Why a callback could not be read, in the reader's language. It is put on record in English, as it was said."""

from django.utils.translation import gettext, gettext_noop

# Every reason that reading and storing give: what follows ": " is the name of an error, and stays as it is.
REASONS = (
    gettext_noop("the body is neither ciphertext, nor base64 or JSON that holds some"),
    gettext_noop("the body can't be decrypted with this encoding_aes_key"),
    gettext_noop("the decrypted body is no JSON array of notices"),
    gettext_noop("no account"),
    gettext_noop("no contact"),
    gettext_noop("no call id"),
    gettext_noop("the account is neither text nor a number"),
    gettext_noop("the contact is neither text nor a number"),
    gettext_noop("the call id is neither text nor a number"),
    gettext_noop("the account is empty, too long, or holds characters that can't be read"),
    gettext_noop("the contact is empty, too long, or holds characters that can't be read"),
    gettext_noop("the call id is empty, too long, or holds characters that can't be read"),
    gettext_noop("the kind is neither 1 (video) nor 2 (voice)"),
    gettext_noop("reading it failed"),
    gettext_noop("it could not be stored"),
    gettext_noop("nothing is known of its vendor app any more that could open it"),
)


def in_words(reason: str) -> str:
    """Each reason of several, which are joined by "; ", as far as its words are ours."""
    return "; ".join(": ".join(_translated(part) for part in one.split(": ")) for one in reason.split("; "))


def _translated(part: str) -> str:
    return gettext(part) if part in REASONS else part
