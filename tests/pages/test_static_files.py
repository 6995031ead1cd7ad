from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from django.contrib.staticfiles import finders
from django.templatetags.static import static
from django.test import Client
from pytest_django import Settings

from dashboard import static_files

from ..factory import make_client, make_person
from .reading import text_of

STYLES = "dashboard/ringdesk.css"


@pytest.fixture
def client(settings: Settings) -> Client:
    """Of a server that looks for its files once, at its start."""
    settings.WHITENOISE_AUTOREFRESH = False
    return make_client()


def source(name: str) -> bytes:
    return Path(str(finders.find(name))).read_bytes()


def test_a_file_is_sent_compressed_to_who_takes_it_so(client: Client) -> None:
    answer = client.get(static(STYLES), HTTP_ACCEPT_ENCODING="gzip, br")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert int(answer.headers["Content-Length"]) == len(answer.content) < len(source(STYLES)) / 2
    assert gzip.decompress(answer.content) == source(STYLES)


def test_a_file_is_sent_as_it_is_to_who_does_not(client: Client) -> None:
    answer = client.get(static(STYLES))
    assert "Content-Encoding" not in answer.headers
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert answer.content == source(STYLES)


def test_a_part_of_a_file_is_sent_as_it_is(client: Client) -> None:
    answer = client.get(static(STYLES), HTTP_ACCEPT_ENCODING="gzip", HTTP_RANGE="bytes=0-9")
    assert (answer.status_code, answer.content) == (206, source(STYLES)[:10])
    assert "Content-Encoding" not in answer.headers


def test_a_file_of_this_version_is_kept_for_good(client: Client) -> None:
    assert client.get(static(STYLES)).headers["Cache-Control"] == "max-age=315360000, public, immutable"


@pytest.mark.parametrize("address", [f"/static/{STYLES}", f"/static/0123456789ab/{STYLES}"])
def test_a_page_of_another_version_gets_what_there_is_and_does_not_keep_it(client: Client, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, answer.content) == (200, source(STYLES))
    assert answer.headers["Cache-Control"] == "max-age=60, public"


@pytest.mark.django_db
@pytest.mark.parametrize(
    "address", ["/static/0123456789ab/", "/static/0123456789ab/no.css", "/static/0123456789ab/../settings.py"]
)
def test_what_is_no_file_is_not_found(client: Client, address: str) -> None:
    assert client.get(address).status_code == 404


def test_a_changed_file_changes_every_address(monkeypatch: pytest.MonkeyPatch) -> None:
    before = static(STYLES)
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b" " * (path.name == "app.js"))
    static_files.version.cache_clear()
    changed = static(STYLES)
    static_files.version.cache_clear()
    assert before != changed


@pytest.fixture
def chain(tmp_path: Path, settings: Settings) -> None:
    """Modules in all forms of imports, one of them in a circle."""
    folder = tmp_path / "chain"
    folder.mkdir()
    (folder / "first.js").write_text(
        '// import "./comment.js";\nimport "./second.js";\nimport {\n  a,\n  b,\n} from "./third.js";\n'
    )
    (folder / "second.js").write_text('export { c } from "./fourth.js";\n')
    (folder / "third.js").write_text('import * as all from "./first.js";\n')
    (folder / "fourth.js").write_text('const text = "import ./none.js";\n')
    settings.STATICFILES_DIRS = [tmp_path]


@pytest.mark.usefixtures("chain")
def test_a_module_brings_all_that_it_imports() -> None:
    assert static_files.modules("chain/first.js") == [f"chain/{name}.js" for name in ("first", "second", "third", "fourth")]


@pytest.mark.django_db
def test_a_page_is_sent_compressed_to_who_takes_it_so() -> None:
    client = make_client(make_person(password=None))
    answer = client.get("/", HTTP_ACCEPT_ENCODING="gzip")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert b"<!doctype html>" in gzip.decompress(answer.content)
    assert "<!doctype html>" in text_of(client.get("/"))


@pytest.mark.django_db
def test_a_small_answer_is_not_compressed() -> None:
    assert "Content-Encoding" not in make_client().get("/healthz", HTTP_ACCEPT_ENCODING="gzip").headers
