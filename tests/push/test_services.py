"""To which addresses the server posts, and the key that it shows itself with."""

from __future__ import annotations

import pytest
from pytest_django import Settings

from calls.push import services

KNOWN = [
    "https://fcm.googleapis.com/fcm/send/dGVzdA:APA91b_-x",
    "https://updates.push.services.mozilla.com/wpush/v2/gAAAAAB",
    "https://sg2p.notify.windows.com/w/?token=BQYAAAD%2b",
    "https://web.push.apple.com/QGuQyavXutnMH",
]
UNKNOWN = [
    "",
    "http://fcm.googleapis.com/fcm/send/a",
    "https://fcm.googleapis.com:8443/fcm/send/a",
    "https://fcm.googleapis.com",
    "https://example.com/push",
    "https://notfcm.googleapis.com/a",
    "https://fcm.googleapis.com.example.com/a",
    "https://fcm.googleapis.com@127.0.0.1/a",
    "https://127.0.0.1\\@fcm.googleapis.com/a",
    "https://127.0.0.1/a",
    "https://10.0.0.1/a",
    "https://[::1]/a",
    "https://localhost/a",
    "https://169.254.169.254/latest/meta-data/",
    "https://fcm.googleapis.com/a b",
    "https://fcm.googleapis.com/a\r\nX: y",
    "https://fcm.googleapis.com/a\n",
    "https://fcm.googleapis.com/你",
    "HTTPS://FCM.GOOGLEAPIS.COM/a",
    "file:///etc/passwd",
]


@pytest.fixture(autouse=True)
def as_installed(settings: Settings) -> None:
    settings.PUSH_SERVICES_ON_THIS_MACHINE = False


@pytest.mark.parametrize("endpoint", KNOWN)
def test_the_services_of_browsers_are_known(endpoint: str) -> None:
    assert services.is_known(endpoint)


@pytest.mark.parametrize("endpoint", [*UNKNOWN, "http://127.0.0.1:8080/a"])
def test_nothing_is_posted_anywhere_else(endpoint: str) -> None:
    assert not services.is_known(endpoint)


@pytest.mark.parametrize("endpoint", UNKNOWN)
def test_what_tests_are_allowed_opens_no_other_address(endpoint: str, settings: Settings) -> None:
    settings.PUSH_SERVICES_ON_THIS_MACHINE = True
    assert not services.is_known(endpoint)


def test_an_admin_can_add_a_service(settings: Settings) -> None:
    settings.PUSH_SERVICES = [*settings.PUSH_SERVICES, "push.example.com"]
    assert services.is_known("https://push.example.com/a")


def test_the_key_is_that_of_the_secret_key(settings: Settings) -> None:
    key = services.public_key()
    assert len(key) == 87
    assert services.public_key() == key
    settings.SECRET_KEY = "another one"
    assert services.public_key() != key


def test_a_token_lasts_less_than_a_day_and_more_than_a_message(settings: Settings) -> None:
    for now in (0.0, services.TOKEN_LASTS - 1.0, services.TOKEN_LASTS + 0.0):
        token = services.authorization("https://push.example.com", now)
        assert token.startswith("vapid t=")
