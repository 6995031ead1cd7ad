"""A condition on ids, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import F, Lookup, Q

LATER = object()  # stands for ids that aren't known yet


def among(ids: Iterable[int]) -> Q:
    """That the id of a row is one of these. Thousands are one parameter: as so many parameters, whose number is limited,
    they take longer to be written and read than the rows to be found."""
    return Q(Among(F("pk"), sorted(ids)))


class Among(Lookup):
    """The condition itself, on a column; with `LATER` in place of a list, the parameter is that, for others to put in."""

    prepare_rhs = False

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return self._compared(compiler, connection, "IN (SELECT value FROM json_each(%s))")

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return self._compared(compiler, connection, "= ANY(%s::bigint[])")

    def _compared(self, compiler: Any, connection: Any, with_ids: str) -> tuple[str, list[Any]]:
        if not self.rhs:
            raise EmptyResultSet
        row, params = self.process_lhs(compiler, connection)
        ids = self.rhs if self.rhs is LATER else parameter(self.rhs, connection)
        return f"{row} {with_ids}", [*params, ids]


def parameter(ids: list[int], connection: Any) -> Any:
    """These ids, as the database takes them."""
    return json.dumps(ids) if connection.vendor == "sqlite" else ids
