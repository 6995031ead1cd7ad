"""Taking an installation from SQLite to PostgreSQL: all tables in one transaction, compared on both sides before it ends.

A row is made into the line in which PostgreSQL's COPY takes it, and in which COPY gives it back. So what was sent is
compared with what is there, and the checksum of a table is that of its lines.
"""

from .move import Compared, move
from .refused import CantMove
from .source import Source, opened
from .target import check_empty

__all__ = ["CantMove", "Compared", "Source", "check_empty", "move", "opened"]
