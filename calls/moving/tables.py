"""What is moved: the tables of all models, in an order in which whatever a row refers to comes before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter

from django.apps import apps
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.db.models import AutoField, CharField, Field, Model

from ..models import ChangedText, IndexedUpTo

# How far the search index has come on SQLite. PostgreSQL has an index of its own, which the server makes.
LEFT_BEHIND = (IndexedUpTo, ChangedText)

# Made by migrations, under whatever ids. What they have in the source takes their place, since rows refer to them.
MADE_BY_MIGRATIONS = (ContentType, Permission)
MIGRATIONS = "django_migrations"


@dataclass(frozen=True)
class Table:
    name: str
    key: str  # the column of the primary key
    fields: Sequence[Field]
    key_is_numbered: bool  # whether the database gives the keys out
    key_is_text: bool

    @classmethod
    def of(cls, model: type[Model]) -> Table:
        key = model._meta.pk
        return cls(
            name=model._meta.db_table,
            key=str(key.column),
            fields=tuple(model._meta.concrete_fields),
            key_is_numbered=isinstance(key, AutoField),
            key_is_text=isinstance(key, CharField),
        )

    @property
    def columns(self) -> list[str]:
        return [str(field.column) for field in self.fields]


def all_tables() -> list[Table]:
    models = [model for model in apps.get_models(include_auto_created=True) if model not in LEFT_BEHIND]
    refers_to = {
        model: {field.related_model for field in model._meta.concrete_fields if field.related_model} for model in models
    }
    return [Table.of(model) for model in TopologicalSorter(refers_to).static_order()]


def made_by_migrations() -> list[Table]:
    """In an order in which whatever a row refers to comes before it."""
    return [Table.of(model) for model in MADE_BY_MIGRATIONS]
