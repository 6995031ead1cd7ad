"""The vendor's error codes in words: what happened, and what to do.

Source: showdoc yunzhenji 11490695550514533 and 11490690941344440.
"""

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

TOKEN_CODES = frozenset({"110", "111", "112"})


class Explanation(NamedTuple):
    text: str | Promise
    advice: str | Promise


_ASK_ADMIN = _("Tell an admin.")
_TRY_AGAIN = _("Try again.")

EXPLANATIONS = {
    "101": Explanation(_("the app_id is wrong"), _ASK_ADMIN),
    "102": Explanation(_("the app_secret is wrong"), _ASK_ADMIN),
    "103": Explanation(_("the grant_type is wrong"), _ASK_ADMIN),
    "110": Explanation(_("the access token is wrong"), _ASK_ADMIN),
    "111": Explanation(_("the access token has expired"), _TRY_AGAIN),
    "112": Explanation(_("the access token is missing"), _ASK_ADMIN),
    "113": Explanation(_("this server's IP is not on the vendor's allowlist"), _ASK_ADMIN),
    "114": Explanation(_("the vendor app has expired"), _ASK_ADMIN),
    "405": Explanation(_("wrong request method"), _ASK_ADMIN),
    "406": Explanation(_("wrong parameters; the call may be over already"), _ASK_ADMIN),
    "407": Explanation(_("over the vendor's limit of requests"), _("Wait a moment, then try again.")),
    "1001": Explanation(_("the vendor's base service failed"), _TRY_AGAIN),
}
UNKNOWN = Explanation(_("the vendor gives no reason that is known"), _TRY_AGAIN)


def explain(errcode: str) -> Explanation:
    """What a code means and what to do about it, for people; a code that isn't documented gets a general text."""
    return EXPLANATIONS.get(errcode, UNKNOWN)


def failure(why: str) -> str:
    """Why a request got no answer, in the reader's language as far as the words are ours: `HTTP 502: no JSON`."""
    return ": ".join(gettext(part) for part in why.split(": ") if part)


def worth_retrying(errcode: str) -> bool:
    """Whether the same request may succeed a moment later, with nothing changed."""
    return explain(errcode).advice is not _ASK_ADMIN
