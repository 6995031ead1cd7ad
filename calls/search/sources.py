"""The texts that are searched: which columns of which tables, and how to get from there to the calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import or_

from django.db.models import Model, Q, QuerySet

from ..models import Account, Attempt, Call, Contact, Note, Person


@dataclass(frozen=True)
class Source:
    model: type[Model]
    columns: tuple[str, ...]
    call: str = ""  # the way from a row to its calls
    key: str = "pk"  # the column of a row, and that of its calls, which are equal
    of_call: str = "pk"

    @property
    def table(self) -> str:
        return self.model._meta.db_table

    @property
    def rows(self) -> QuerySet:
        return self.model._default_manager.order_by()

    def containing(self, text: str) -> QuerySet:
        """The rows of which a column contains the text, in upper or lower case."""
        return self.rows.filter(self.contains(text))

    def contains(self, text: str) -> Q:
        """The same as a condition."""
        return reduce(or_, (Q(**{f"{column}__icontains": text}) for column in self.columns))


# Few rows: looked through each time.
ACCOUNTS = Source(Account, ("name", "wxid"))
PEOPLE = Source(Person, ("name", "username"))

# Many rows: looked up in an index.
CONTACTS = Source(Contact, ("nickname", "wxid", "remark"), call="calls", of_call="contact")
CALLS = Source(Call, ("voipid",), call="pk")
ATTEMPTS = Source(Attempt, ("message",), call="call", key="call")
NOTES = Source(Note, ("text",), call="call", key="call")
INDEXED: Sequence[Source] = (CONTACTS, CALLS, ATTEMPTS, NOTES)
