"""Search: calls by a part of a name, a number or what was said.

A text is contained in what it is compared with, upper or lower case; that alone decides. An index says where to look.
"""

from django.db.models import Model

from .found import count, index, matching, newest
from .sources import INDEXED

LONGEST = 100  # characters


def index_some() -> bool:
    """Bring the index up to date by one short step. Returns: whether there is more to do."""
    more: bool = index.index_some()
    return more


def rebuild() -> None:
    """Build the index anew from all that is stored, within minutes for millions of calls."""
    index.forget()
    index.build()


def leave_no_trace(*models: type[Model]) -> None:
    """Take away what the index still holds of texts in these tables that were erased. The rest is indexed anew beside the
    work, and found meanwhile, if more slowly."""
    index.leave_no_trace([source for source in INDEXED if source.model in models])


__all__ = ["LONGEST", "count", "index_some", "leave_no_trace", "matching", "newest", "rebuild"]
