"""Static files, straight from the source folders: the addresses that pages give them, and what is sent."""

from __future__ import annotations

import gzip
import hashlib
import re
from functools import cache, lru_cache
from pathlib import Path

from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage

KEPT = 512  # compressed files; there are far fewer
_VERSIONED = re.compile(r"(/static/)([0-9a-f]{12})/")
_IMPORTED = re.compile(r"""^(?:import|export)\b[^"';]*["']\./([^"']+)["']""", re.MULTILINE)


class Versioned(StaticFilesStorage):
    """Addresses with the version of all files in front, so that browsers keep what they were sent for good. In front, since
    modules import each other by the names of their files: so these have it, too."""

    def url(self, name: str | None) -> str:
        return f"{self.base_url}{version()}/{name}"


@cache
def version() -> str:
    """Of the names and contents of all static files, as they were when this process first asked."""
    digest = hashlib.sha256()
    for finder in finders.get_finders():
        for name, storage in sorted(finder.list(None), key=lambda found: str(found[0])):
            digest.update(name.encode() + Path(storage.path(name)).read_bytes())
    return digest.hexdigest()[:12]


def without_version(path: str) -> tuple[str, bool]:
    """The address of a file without its version, and whether that was ours. A page from before an upgrade asks for another,
    and gets what there is."""
    found = _VERSIONED.match(path)
    return (found[1] + path[found.end() :], found[2] == version()) if found else (path, False)


@lru_cache(KEPT)
def compressed(content: bytes) -> bytes:
    """By gzip, once for all who ask."""
    return gzip.compress(content, mtime=0)


@cache
def modules(name: str) -> list[str]:
    """A JavaScript module, what it imports, and so on: so that a page can ask for all of them at once."""
    found = [name]
    for known in found:  # it grows meanwhile
        text = Path(str(finders.find(known))).read_text()
        folder = known.rpartition("/")[0]
        found += [beside for file in _IMPORTED.findall(text) if (beside := f"{folder}/{file}") not in found]
    return found
