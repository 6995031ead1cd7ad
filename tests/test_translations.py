"""Every text exists in Chinese, and what is compiled is what was written."""

from __future__ import annotations

import gettext
import io
from collections.abc import Iterator
from pathlib import Path

from babel.messages.extract import extract
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from django.utils.translation.template import templatize

from .installation import ROOT

CATALOG = ROOT / "dashboard" / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
KEYWORDS = {
    "_": None,
    "gettext": None,
    "gettext_lazy": None,
    "ngettext": (1, 2),
    "pgettext": ((1, "c"), 2),
    "npgettext": ((1, "c"), 2, 3),
    "gettext_noop": None,
}


def catalog_texts() -> dict[object, tuple[object, ...]]:
    """Translations by text; by (context, text) where there is a context."""
    with CATALOG.open("rb") as file:
        catalog = read_po(file)
    found: dict[object, tuple[object, ...]] = {}
    for message in catalog:
        text = message.id[0] if isinstance(message.id, tuple) else message.id
        strings = message.string if isinstance(message.string, tuple) else (message.string,)
        found[(message.context, text) if message.context else text] = strings
    return found


def texts_in_use() -> Iterator[tuple[Path, object]]:
    """Every translatable text in code and templates."""
    for folder, pattern in (("calls", "*.py"), ("dashboard", "*.py"), ("templates", "*.html")):
        for file in (ROOT / folder).rglob(pattern):
            source = file.read_text()
            if pattern == "*.html":
                source = "\n".join(line.strip() for line in templatize(source).splitlines())
            for _line, texts, _comments, context in extract("python", io.BytesIO(source.encode()), KEYWORDS):
                text = texts[0] if isinstance(texts, tuple) else texts
                if text:
                    yield file.relative_to(ROOT), (context, text) if context else text


def test_every_text_is_translated() -> None:
    known = catalog_texts()
    missing = {(str(file), text) for file, text in texts_in_use() if not all(known.get(text, ("",)))}
    assert missing == set()


def test_texts_are_found_at_all() -> None:
    found = {text for _file, text in texts_in_use()}
    assert {"Reject", "Tell an admin.", "vendor app", ("a call to an account", "to")} <= found


def test_the_compiled_catalog_is_the_written_one() -> None:
    with CATALOG.open("rb") as file:
        catalog = read_po(file)
    fresh = io.BytesIO()
    write_mo(fresh, catalog)
    fresh.seek(0)
    with CATALOG.with_suffix(".mo").open("rb") as file:
        compiled = gettext.GNUTranslations(file)
    assert compiled._catalog == gettext.GNUTranslations(fresh)._catalog  # type: ignore[attr-defined]
