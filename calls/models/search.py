"""How far the search index has come, on SQLite, where the database doesn't keep it up by itself."""

from __future__ import annotations

from django.db import models


class IndexedUpTo(models.Model):
    """The last row of a table that is in the index. What comes after it is searched directly."""

    table = models.CharField(max_length=60, primary_key=True)
    row = models.BigIntegerField()

    def __str__(self) -> str:
        return f"{self.table} {self.row}"


class ChangedText(models.Model):
    """A row whose text changed and isn't in the index as it is now. Written by triggers, so that no change is missed."""

    table = models.CharField(max_length=60)
    row = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["table", "row"], name="changed_text_once")]

    def __str__(self) -> str:
        return f"{self.table} {self.row}"
