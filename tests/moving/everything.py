"""All rows of all models, as Ringdesk reads them from its database."""

from __future__ import annotations

import json

from django.apps import apps


def tell() -> None:
    """Print them as JSON, by table and in order of their keys."""
    rows = {
        model._meta.db_table: [list(map(_shown, row)) for row in model._base_manager.order_by("pk").values_list()]
        for model in apps.get_models(include_auto_created=True)
    }
    print(json.dumps(rows))


def _shown(value: object) -> str:
    return repr(bytes(value) if isinstance(value, memoryview) else value)
