"""Clicks on Reject, as the page of a signed-in agent sends them."""

from __future__ import annotations

from .client import post

CSRF = "c" * 32  # any will do, provided that the cookie and the header say the same


def click(pk: int, cookie: str) -> bytes:
    """A whole request that rejects the call of this id."""
    headers = (
        f"Cookie: {cookie}; csrftoken={CSRF}\r\nX-CSRFToken: {CSRF}\r\nHX-Request: true\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n"
    )
    return post(f"/calls/{pk}/reject/", b"", headers)
