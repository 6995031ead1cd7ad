"""A condition on ids, however many there are."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django.core.exceptions import EmptyResultSet
from django.db.models import F, Lookup, Q


def among(ids: Iterable[int]) -> Q:
    """That the id of a row is one of these. Thousands are one parameter: as so many parameters, whose number is limited,
    they take longer to be written and read than the rows to be found."""
    return Q(_Among(F("pk"), sorted(ids)))


class _Among(Lookup):
    prepare_rhs = False

    def as_sqlite(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return self._compared(compiler, connection, "IN (SELECT value FROM json_each(%s))", json.dumps(self.rhs))

    def as_postgresql(self, compiler: Any, connection: Any) -> tuple[str, list[Any]]:
        return self._compared(compiler, connection, "= ANY(%s::bigint[])", self.rhs)

    def _compared(self, compiler: Any, connection: Any, with_ids: str, ids: Any) -> tuple[str, list[Any]]:
        if not self.rhs:
            raise EmptyResultSet
        row, params = self.process_lhs(compiler, connection)
        return f"{row} {with_ids}", [*params, ids]
