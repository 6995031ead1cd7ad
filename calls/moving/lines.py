"""A row as a line of PostgreSQL's COPY, in text format, exactly as COPY itself would write it.

Source: PostgreSQL's documentation, "COPY", "Text Format".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from django.db.models import Field, ForeignKey

NULL = rb"\N"
ESCAPES = {
    b"\\": rb"\\", b"\b": rb"\b", b"\t": rb"\t", b"\n": rb"\n", b"\v": rb"\v", b"\f": rb"\f", b"\r": rb"\r",
}  # fmt: skip
ESCAPED = re.compile(rb"[\\\x08-\x0d]")
MOMENT = re.compile(rb"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{6})?")  # as Django writes it: UTC, without a zone
DAY = re.compile(rb"\d{4}-\d\d-\d\d")

# How SQLite's values are written; text comes as bytes.
_Form: TypeAlias = Callable[[Any], bytes]


class Unfit(Exception):
    """A value that PostgreSQL can't hold, and of which column it is."""

    def __init__(self, column: str) -> None:
        super().__init__(column)
        self.column = column


class Lines:
    """Makes lines of the rows of one table."""

    def __init__(self, fields: Sequence[Field]) -> None:
        self._columns = [str(field.column) for field in fields]
        self._forms = [self._form_of(field) for field in fields]
        self.mended = 0  # texts with characters that PostgreSQL doesn't hold, in place of which U+FFFD stands now

    def line(self, row: Sequence[Any]) -> bytes:
        """Raises: Unfit."""
        try:
            values = [NULL if value is None else form(value) for form, value in zip(self._forms, row, strict=True)]
        except (TypeError, ValueError, AttributeError):
            raise Unfit(self._unfit_column(row)) from None
        return b"\t".join(values) + b"\n"

    def _unfit_column(self, row: Sequence[Any]) -> str:
        for column, form, value in zip(self._columns, self._forms, row, strict=True):
            try:
                if value is not None:
                    form(value)
            except (TypeError, ValueError, AttributeError):
                return column
        raise AssertionError("every value is fit")

    def _form_of(self, field: Field) -> _Form:
        while isinstance(field, ForeignKey):
            field = field.target_field
        forms: dict[str, _Form] = {
            "AutoField": _number,
            "BigAutoField": _number,
            "BigIntegerField": _number,
            "PositiveIntegerField": _number,
            "PositiveSmallIntegerField": _number,
            "BooleanField": _boolean,
            "CharField": self._text,
            "TextField": self._text,
            "DateTimeField": _moment,
            "DateField": _day,
            "JSONField": _json,
            "BinaryField": _binary,
        }
        return forms[field.get_internal_type()]

    def _text(self, value: bytes) -> bytes:
        """Ringdesk stores neither NUL nor halves of surrogate pairs, but SQLite would, and others may have written to it."""
        if not value.isascii() or b"\0" in value:
            held = value.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}").encode()
            self.mended += held != value
            value = held
        return _escaped(value)


def _escaped(value: bytes) -> bytes:
    return ESCAPED.sub(lambda found: ESCAPES[found[0]], value) if ESCAPED.search(value) else value


def _number(value: int) -> bytes:
    return str(value).encode()


def _boolean(value: int) -> bytes:
    return (b"f", b"t")[(0, 1).index(value)]


def _moment(value: bytes) -> bytes:
    if not MOMENT.fullmatch(value):
        raise ValueError
    return (value.rstrip(b"0").rstrip(b".") if len(value) > 19 else value) + b"+00"


def _day(value: bytes) -> bytes:
    if not DAY.fullmatch(value):
        raise ValueError
    return value


def _json(value: bytes) -> bytes:
    return _escaped(json.dumps(json.loads(value), ensure_ascii=False).encode())


def _binary(value: bytes) -> bytes:
    return rb"\\x" + value.hex().encode()
