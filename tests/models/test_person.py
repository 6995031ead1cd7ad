from __future__ import annotations

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from django.db.models import ProtectedError

from calls.models import Person
from calls.models.person import Sight
from dashboard import settings as installed

from ..factory import PASSWORD, make_attempt, make_call, make_person, make_team

pytestmark = pytest.mark.django_db

Role = Person.Role


def test_an_agent_sees_the_calls_of_all_their_teams() -> None:
    teams = make_team(), make_team()
    make_team()
    assert make_person(*teams, password=None).sight == Sight(all=False, teams=frozenset(team.pk for team in teams))


def test_an_agent_without_a_team_sees_nothing() -> None:
    sight = make_person(password=None).sight
    assert (None in sight, make_team().pk in sight) == (False, False)


@pytest.mark.parametrize("fields", [{"role": Role.SUPERVISOR}, {"role": Role.ADMIN}, {"all_accounts": True}])
def test_supervisors_admins_and_who_may_see_all_see_every_call(fields: dict[str, object]) -> None:
    sight = make_person(password=None, **fields).sight
    assert (None in sight, make_team().pk in sight) == (True, True)


def test_people_who_see_the_same_have_equal_sights() -> None:
    team = make_team()
    assert len({make_person(team, password=None).sight, make_person(team, password=None).sight}) == 1


@pytest.mark.parametrize(
    ("role", "supervisor", "admin"), [(Role.AGENT, False, False), (Role.SUPERVISOR, True, False), (Role.ADMIN, True, True)]
)
def test_each_role_includes_the_ones_below_it(role: Person.Role, supervisor: bool, admin: bool) -> None:
    person = make_person(password=None, role=role)
    assert (person.is_supervisor, person.is_admin) == (supervisor, admin)


@pytest.mark.parametrize(
    ("role", "active", "allowed"),
    [(Role.AGENT, True, False), (Role.SUPERVISOR, True, False), (Role.ADMIN, True, True), (Role.ADMIN, False, False)],
)
def test_only_an_active_admin_may_configure(role: Person.Role, active: bool, allowed: bool) -> None:
    person = make_person(password=None, role=role, is_active=active)
    rights = {person.is_staff, person.is_superuser, person.has_perm("calls.change_call"), person.has_module_perms("calls")}
    assert rights == {allowed}


def test_a_person_goes_by_their_name() -> None:
    assert str(make_person(password=None, username="li", name="李雷")) == "李雷"


def test_a_person_without_a_name_goes_by_their_username() -> None:
    assert str(make_person(password=None, username="li")) == "li"


def test_a_password_is_stored_as_a_hash() -> None:
    person = make_person()
    assert PASSWORD not in person.password
    assert person.check_password(PASSWORD)


def test_outside_of_the_tests_a_hash_costs_what_django_has_it_cost() -> None:
    assert installed.PASSWORD_HASHERS[0] == "django.contrib.auth.hashers.Argon2PasswordHasher"


def test_a_superuser_is_an_admin() -> None:
    assert Person.objects.create_superuser("root").is_admin


def test_a_username_is_stored_in_one_of_its_spellings() -> None:
    """Typed on a Chinese keyboard, a letter may come as its full-width twin."""
    assert make_person(password=None, username="ａｄａ").username == "ada"


def test_a_username_is_taken_once() -> None:
    make_person(password=None, username="ada")
    with pytest.raises(IntegrityError):
        make_person(password=None, username="ada")


def test_a_username_without_blanks_or_signs_is_asked_for() -> None:
    with pytest.raises(ValidationError, match="username"):
        Person(username="a <b>", password="x").full_clean()


def test_a_person_on_record_is_never_deleted() -> None:
    person = make_person(password=None)
    make_attempt(make_call(), person)
    with pytest.raises(ProtectedError):
        person.delete()


def test_a_person_who_claimed_a_call_is_never_deleted() -> None:
    person = make_person(password=None)
    make_call(claimed_by=person)
    with pytest.raises(ProtectedError):
        person.delete()
