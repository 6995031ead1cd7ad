"""Search: calls by a part of a name, a number or what was said.

A text is contained in what it is compared with, upper or lower case; that alone decides. An index says where to look.
"""

from .found import count, index, matching, newest

LONGEST = 100  # characters


def index_some() -> bool:
    """Bring the index up to date by one short step. Returns: whether there is more to do."""
    more: bool = index.index_some()
    return more


def rebuild() -> None:
    """Build the index anew from all that is stored, within minutes for millions of calls."""
    index.forget()
    index.build()


__all__ = ["LONGEST", "count", "index_some", "matching", "newest", "rebuild"]
