"""Queries that are written once: to write one takes the ORM several times as long as the database takes to answer it."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any, Generic, TypeVar

from django.db import connections
from django.db.models import F, Model, QuerySet
from django.db.models.sql.compiler import SQLCompiler

from .among import LATER, Among, parameter

Row = TypeVar("Row", bound=Model)

LARGEST_ID = 2**63 - 1  # addresses may hold any number


class ById(Generic[Row]):
    """Rows by ids, with what a queryset joins to them and in its order; what it prefetches is left out.

    by: the column that holds the ids.
    """

    def __init__(self, queryset: QuerySet[Row], by: str = "pk") -> None:
        self._queryset = queryset.prefetch_related(None)
        self._by = by
        self._written: dict[str, _Written] = {}  # by the name of the database

    def fetch(self, ids: Iterable[int]) -> list[Row]:
        """Those rows that there are. One query, or none without ids. Raises: django.db.Error."""
        wanted = sorted(pk for pk in ids if pk <= LARGEST_ID)
        if not wanted:
            return []
        rows = self._queryset.all()
        rows.query.get_compiler = lambda using, **_: self._compiler(using, wanted)  # type: ignore[method-assign]
        return list(rows)

    def _compiler(self, using: str, ids: list[int]) -> SQLCompiler:
        """What makes rows of the answer, as the ORM left it when it wrote the query."""
        if using not in self._written:
            by_ids = self._queryset.filter(Among(F(self._by), LATER))
            self._written[using] = _Written(by_ids.query.get_compiler(using))
        return self._written[using].asked(ids)


class _Written:
    def __init__(self, compiler: SQLCompiler) -> None:
        self._compiler = compiler
        self._text, self._params = compiler.as_sql()

    def asked(self, ids: list[int]) -> SQLCompiler:
        asked: Any = copy(self._compiler)
        asked.connection = connections[asked.using]  # this thread's
        given = parameter(ids, asked.connection)
        params = tuple(given if value is LATER else value for value in self._params)
        asked.as_sql = lambda *_, **__: (self._text, params)
        return asked  # type: ignore[no-any-return]
