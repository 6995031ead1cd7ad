"""What SQL that is written by hand needs. It is, where the ORM would write it anew for each of thousands of rows."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.db import connection


def as_stored(value: Any) -> Any:
    """A moment as the database stores it; anything else as it is."""
    return connection.ops.adapt_datetimefield_value(value) if isinstance(value, datetime) else value
