"""What makes Ringdesk an app: the manifest, the icons, the service worker."""

from __future__ import annotations

import struct

import pytest
from django.test import Client

from tests.factory import make_client, make_person

# Nobody is signed in, and no database is asked.


@pytest.mark.parametrize(("language", "name", "lang"), [("en", "Ringdesk", "en"), ("zh-hans", "来电台", "zh-Hans")])
def test_the_manifest_is_in_the_readers_language(language: str, name: str, lang: str) -> None:
    answer = make_client(language=language).get("/manifest.webmanifest")
    manifest = answer.json()
    assert answer.headers["Content-Type"] == "application/manifest+json"
    assert (manifest["name"], manifest["lang"], manifest["start_url"]) == (name, lang, "/")
    assert manifest["display"] == "standalone"


def test_its_icons_are_there_in_the_sizes_that_it_tells() -> None:
    icons = Client().get("/manifest.webmanifest").json()["icons"]
    assert [icon.get("purpose") for icon in icons].count("maskable") == 1
    for icon in icons:
        answer = Client().get(icon["src"])
        assert answer.headers["Content-Type"] == icon["type"]
        if icon["type"] == "image/png":
            width, height = struct.unpack(">II", answer.content[16:24])
            assert f"{width}x{height}" == icon["sizes"]


@pytest.mark.parametrize(
    ("language", "words"), [("en", ["Reject", "can't be reached"]), ("zh-hans", ["拒接", "无法连接来电台"])]
)
def test_the_worker_has_its_words_in_the_readers_language(language: str, words: list[str]) -> None:
    answer = make_client(language=language).get("/service-worker.js")
    script = answer.content.decode()
    assert answer.headers["Content-Type"] == "text/javascript"
    assert answer.headers["Cache-Control"] == "no-cache"
    head = script.split('"use strict"')[0].encode().decode("unicode_escape")
    for word in words:
        assert word in head


def test_the_worker_keeps_no_page() -> None:
    script = Client().get("/service-worker.js").content.decode()
    assert "caches" not in script


@pytest.mark.parametrize("address", ["/manifest.webmanifest", "/service-worker.js"])
def test_neither_can_be_posted_to(address: str) -> None:
    assert Client().post(address).status_code == 405


@pytest.mark.django_db
def test_every_page_leads_to_them() -> None:
    for page in (make_client(make_person()).get("/"), Client().get("/login/")):
        assert '<link rel="manifest" href="/manifest.webmanifest" crossorigin="use-credentials">' in page.content.decode()
