from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.utils import timezone
from pytest_django import Settings

from calls.models import VendorApp
from calls.models.vendor_app import new_callback_secret

from ..factory import AES_KEY, make_app


def app_with(**fields: object) -> VendorApp:
    """Filled in as an admin would; not stored."""
    return VendorApp(**{"name": "app", "app_id": "id", "app_secret": "secret", "aes_key": AES_KEY} | fields)


@pytest.mark.parametrize(
    ("allowlist", "address", "admitted"),
    [
        ("", "203.0.113.7", True),
        ("", "unknown", True),
        ("203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("203.0.113.0/24", "203.0.113.255", True),
        ("203.0.113.0/24", "203.0.114.0", False),
        ("203.0.113.9/24", "203.0.113.1", True),
        ("198.51.100.1\n203.0.113.0/24", "203.0.113.1", True),
        ("198.51.100.1  203.0.113.0/24", "198.51.100.1", True),
        ("203.0.113.7", "::ffff:203.0.113.7", True),
        ("203.0.113.7", "::ffff:203.0.113.8", False),
        ("203.0.113.7", "2001:db8::1", False),
        ("2001:db8::/32", "2001:db8::1", True),
        ("2001:db8::/32", "2001:db9::1", False),
        ("2001:db8::/32", "203.0.113.7", False),
        ("203.0.113.7", "unknown", False),
        ("203.0.113.7", "", False),
        ("0.0.0.0/0", "203.0.113.7, 198.51.100.1", False),
    ],
)
def test_callbacks_are_taken_from_the_allowed_addresses(allowlist: str, address: str, admitted: bool) -> None:
    assert app_with(allowlist=allowlist).admits(address) == admitted


def test_the_callback_address_holds_the_secret(settings: Settings) -> None:
    settings.PUBLIC_URL = "https://calls.example.com"
    assert app_with(callback_secret="s3cret").callback_url == "https://calls.example.com/callbacks/s3cret/"


def test_callback_secrets_can_not_be_guessed() -> None:
    secrets = {new_callback_secret() for _ in range(100)}
    assert len(secrets) == 100
    assert min(map(len, secrets)) >= 32


@pytest.mark.django_db
def test_a_callback_secret_belongs_to_one_app() -> None:
    make_app(callback_secret="same")
    with pytest.raises(IntegrityError):
        make_app(callback_secret="same")


@pytest.mark.django_db
@pytest.mark.parametrize("key", [AES_KEY, "x" * 32, "!" * 32, "ab+/" * 10 + "abc"])
def test_a_key_as_the_vendor_gives_it_is_taken(key: str) -> None:
    app_with(aes_key=key).full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", AES_KEY[:-1], AES_KEY + "=", " " + AES_KEY[1:], "x" * 31, "x" * 33, "密" * 32])
def test_a_key_that_was_not_copied_whole_is_refused(key: str) -> None:
    with pytest.raises(ValidationError, match="aes_key"):
        app_with(aes_key=key).full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("allowlist", ["", "203.0.113.7", "203.0.113.7\n2001:db8::/32\n", "203.0.113.9/24"])
def test_addresses_and_networks_can_be_allowed(allowlist: str) -> None:
    app_with(allowlist=allowlist).full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("allowlist", ["example.com", "203.0.113", "203.0.113.7/33", "203.0.113.7, 203.0.113.8", "::g"])
def test_what_is_no_address_can_not_be_allowed(allowlist: str) -> None:
    with pytest.raises(ValidationError, match="allowlist"):
        app_with(allowlist=allowlist).full_clean()


@pytest.mark.django_db
def test_a_word_that_is_no_address_is_named() -> None:
    with pytest.raises(ValidationError, match=r"example\.com"):
        app_with(allowlist="203.0.113.7 example.com").full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["https://oapi-yzj.miaokol.com", "http://x.example.com/oapi", "http://127.0.0.1:9000"])
def test_the_vendors_address_can_be_a_domain_of_ones_own(url: str) -> None:
    app_with(base_url=url).full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["", "x.example.com", "ftp://x.example.com", "https://", "javascript:alert(1)"])
def test_the_vendors_address_has_to_be_one_of_the_web(url: str) -> None:
    with pytest.raises(ValidationError, match="base_url"):
        app_with(base_url=url).full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("seconds", [0, -1, 3601])
def test_a_ring_window_is_a_second_to_an_hour(seconds: int) -> None:
    with pytest.raises(ValidationError, match="ring_seconds"):
        app_with(ring_seconds=seconds).full_clean()


@pytest.mark.django_db
@pytest.mark.parametrize("fields", [{"end_path": "event"}, {"end_values": "hangup"}])
def test_the_end_of_a_call_needs_its_place_and_its_values(fields: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        app_with(**fields).full_clean()


@pytest.mark.django_db
def test_the_end_of_a_call_can_be_mapped() -> None:
    app_with(end_path="event", end_values="hangup cancel").full_clean()


def test_a_forgotten_token_is_gone() -> None:
    app = app_with(token="t", token_good_until=timezone.now())
    app.forget_token()
    assert (app.token, app.token_good_until) == ("", None)
