from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from calls.models import Call, Person
from dashboard.urls import urlpatterns

from ..factory import make_account, make_call, make_client, make_person, make_team

pytestmark = pytest.mark.django_db

Role = Person.Role

# What a GET is answered, to: nobody signed in, the team's agent, another team's agent, a supervisor, an admin.
TABLE = {
    "board": (302, 200, 200, 200, 200),
    "reject": (302, 405, 405, 405, 405),
    "history": (302, 200, 200, 200, 200),
    "call": (302, 200, 404, 200, 200),
    "login": (200, 302, 302, 302, 302),
    "logout": (302, 405, 405, 405, 405),
    "password_change": (302, 200, 200, 200, 200),
    "set_language": (302, 302, 302, 302, 302),
    "healthz": (200, 200, 200, 200, 200),
    "readyz": (200, 200, 200, 200, 200),
    "metrics": (200, 200, 200, 200, 200),
}
OF_A_CALL = {"reject", "call"}

READERS: dict[str, Callable[[Call], Client]] = {
    "nobody": lambda call: make_client(),
    "agent": lambda call: make_client(make_person(call.account.team, password=None)),
    "other team's agent": lambda call: make_client(make_person(make_team(), password=None)),
    "supervisor": lambda call: make_client(make_person(password=None, role=Role.SUPERVISOR)),
    "admin": lambda call: make_client(make_person(password=None, role=Role.ADMIN)),
}


def test_every_address_has_its_row_in_the_table() -> None:
    assert {pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern)} == set(TABLE)


@pytest.mark.parametrize(
    ("name", "reader", "status"),
    [(name, reader, status) for name, row in TABLE.items() for reader, status in zip(READERS, row, strict=True)],
)
def test_each_role_is_answered_as_the_table_says(name: str, reader: str, status: int) -> None:
    call = make_call(make_account(team=make_team()))
    address = reverse(name, args=[call.pk] if name in OF_A_CALL else [])
    assert READERS[reader](call).get(address).status_code == status


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[0] == 302 and name != "set_language"])
def test_who_is_not_signed_in_is_led_to_the_sign_in(name: str) -> None:
    address = reverse(name, args=[make_call().pk] if name in OF_A_CALL else [])
    assert make_client().get(address).headers["Location"] == f"/login/?next={address}"
