"""Fetching from strangers' hosts: what is there, in bounded time and size, and never from inside our own networks."""

from __future__ import annotations

import time
from http.server import BaseHTTPRequestHandler
from typing import Any

import pytest
from pytest_django import Settings
from requests_hardened import Config

from calls.contacts import strangers
from calls.contacts.strangers import AT_ONCE, LARGEST, NotFetched, fetch

from ..server import free_port
from ..waiting import eventually
from .hosts import Host

pytestmark = pytest.mark.engineless


@pytest.fixture
def from_inside(settings: Settings) -> None:
    """Allowed, since the strangers of these tests are on this machine."""
    settings.AVATARS_FROM_INSIDE = True


@pytest.fixture
def this_machine_is_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """It alone, so that what it redirects to is looked at as in earnest."""

    def config(**given: Any) -> Config:
        return Config(**given | {"ip_filter_allow_loopback_ips": True})

    monkeypatch.setattr(strangers, "Config", config)


def refusal(address: str, within: float = 5.0) -> str:
    with pytest.raises(NotFetched) as refused:
        fetch(address, within)
    return str(refused.value)


@pytest.mark.usefixtures("from_inside")
def test_what_is_there_is_fetched(host: Host) -> None:
    assert fetch(host.serve("/a.png", b"picture")) == b"picture"


@pytest.mark.usefixtures("from_inside")
def test_redirects_are_followed(host: Host) -> None:
    host.serve("/a.png", b"picture")
    host.redirect("/2", "/a.png")
    assert fetch(host.redirect("/1", "/2")) == b"picture"


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:{port}/a.png", "http://localhost:{port}/a.png", "http://2130706433:{port}/a.png"]
)
def test_this_machine_is_refused_under_whatever_name(host: Host, address: str) -> None:
    host.serve("/a.png", b"picture")
    assert "InvalidIPAddress: 127.0.0.1" in refusal(address.format(port=host.url.rpartition(":")[2]))
    assert host.asked == []


@pytest.mark.parametrize(
    "place",
    ["10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "[::1]", "[::]"]  # noqa: S104
    + ["[fe80::1]", "[fd00::1]", "[::ffff:10.0.0.1]", "[::ffff:127.0.0.1]", "[64:ff9b::a00:1]", "224.0.0.1"],
)
def test_addresses_inside_are_refused_without_a_connection(place: str) -> None:
    assert "InvalidIPAddress" in refusal(f"http://{place}/a.png")


@pytest.mark.usefixtures("this_machine_is_outside")
@pytest.mark.parametrize("inside", ["http://10.0.0.1/", "http://169.254.169.254/latest/meta-data/", "http://[fd00::1]/"])
def test_a_redirect_to_the_inside_is_refused(host: Host, inside: str) -> None:
    assert "InvalidIPAddress" in refusal(host.redirect("/a.png", inside))
    assert host.asked == ["/a.png"]


@pytest.mark.usefixtures("from_inside")
@pytest.mark.parametrize("elsewhere", ["file:///etc/passwd", "ftp://127.0.0.1/a", "gopher://127.0.0.1/", "data:image/png,a"])
def test_only_the_web_is_redirected_to(host: Host, elsewhere: str) -> None:
    assert "InvalidSchema" in refusal(host.redirect("/a.png", elsewhere))


@pytest.mark.usefixtures("from_inside")
@pytest.mark.parametrize(
    "address", ["file:///etc/passwd", "ftp://127.0.0.1/a", "", "http://", "http://[", "http://a b/", "https://\u2100/"]
)
def test_what_is_no_address_of_the_web_is_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.usefixtures("from_inside")
def test_redirects_without_end_are_given_up(host: Host) -> None:
    assert "TooManyRedirects" in refusal(host.redirect("/a.png", "/a.png"))


@pytest.mark.usefixtures("from_inside")
@pytest.mark.parametrize("status", [201, 204, 304, 403, 404, 500])
def test_any_other_answer_than_200_is_none(host: Host, status: int) -> None:
    assert refusal(host.serve("/a.png", b"" if status in {204, 304} else b"picture", status)) == f"HTTP {status}"


@pytest.mark.usefixtures("from_inside")
def test_what_is_too_large_is_not_read_to_its_end(host: Host) -> None:
    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 65536)

    assert refusal(host.reply("/endless", endless)) == "larger than 1 MiB"
    assert len(fetch(host.serve("/largest", b"x" * LARGEST))) == LARGEST


@pytest.mark.usefixtures("from_inside")
def test_who_says_nothing_is_waited_for_by_the_clock(host: Host) -> None:
    started = time.monotonic()
    assert refusal(host.reply("/hang", lambda handler: time.sleep(2)), within=0.3) == "no answer in time"
    assert time.monotonic() - started < 1.5


@pytest.mark.usefixtures("from_inside")
@pytest.mark.parametrize("what", ["headers", "body"])
def test_who_sends_byte_after_byte_is_waited_for_by_the_clock(host: Host, what: str) -> None:
    def drip(handler: BaseHTTPRequestHandler) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n" + (b"X-A: " if what == "headers" else b"\r\n"))
        for _ in range(40):
            handler.wfile.write(b"x")
            time.sleep(0.05)

    started = time.monotonic()
    assert refusal(host.reply("/drip", drip), within=0.4) == "no answer in time"
    assert time.monotonic() - started < 1.5


@pytest.mark.usefixtures("from_inside")
def test_nobody_listens() -> None:
    assert "ConnectionError" in refusal(f"http://127.0.0.1:{free_port()}/a.png")


@pytest.mark.usefixtures("from_inside")
def test_the_stranger_learns_nothing_of_us_and_no_proxy_is_used(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port()}")
    host.serve("/a.png", b"picture", Set_Cookie="who=you")
    fetch(f"{host.url}/a.png")
    fetch(f"{host.url}/a.png")
    for headers in host.headers:
        assert not {"Cookie", "Referer", "Authorization"} & headers.keys()


@pytest.mark.usefixtures("from_inside")
def test_what_is_packed_is_taken_as_it_comes(host: Host) -> None:
    packed = b"\x1f\x8b\x08\x00" + b"\0" * 20
    assert fetch(host.serve("/a.png", packed, Content_Encoding="gzip")) == packed
    assert host.headers[0]["Accept-Encoding"] == "identity"


@pytest.mark.usefixtures("from_inside")
def test_those_that_never_end_take_only_so_many_places(host: Host) -> None:
    address = host.reply("/hang", lambda handler: time.sleep(0.5))
    assert "too many fetches are under way" in [refusal(address, within=0.01) for _ in range(AT_ONCE + 1)]
    eventually(lambda: refusal(address, within=0.01) == "no answer in time")
