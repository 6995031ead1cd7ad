from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.test import Client

from calls.models import Person, SavedView, Team

from ..factory import make_account, make_call, make_client, make_person, make_team
from .reading import HARMLESS, HOSTILE, rows, said, text_of, words_of

pytestmark = pytest.mark.django_db

Role = Person.Role


def save(client: Client, name: str, query: str = "kind=1", team: Any = "") -> Any:
    """What the page says once the view is saved, or not."""
    return client.post("/history/views/", {"name": name, "query": query, "team": team}, follow=True)


def menu(client: Client) -> dict[str, str]:
    """The saved views that are offered, and where each leads."""
    page = text_of(client.get("/history/"))
    found = re.findall(r'<div class="view">\s*<a href="([^"]*)"><bdi>(.*?)</bdi>', page)
    return {html.unescape(name): html.unescape(address) for address, name in found}


def test_a_saved_view_is_in_the_menu_and_shows_the_search_again() -> None:
    client = make_client(make_person(password=None))
    page = save(client, "Video, 7 days", "period=7d&kind=1")
    assert said(page) == ["View “Video, 7 days” saved."]
    assert page.redirect_chain == [("/history/?period=7d&kind=1", 302)]
    assert menu(client) == {"Video, 7 days": "/history/?period=7d&kind=1"}


def test_what_is_empty_or_unknown_is_not_saved() -> None:
    client = make_client(make_person(password=None))
    save(client, "mine", "after=2026-03-01T00:00:00+00:00,5&kind=1&q=&page=3&outcome=missed&csrfmiddlewaretoken=x")
    assert SavedView.objects.get().query == "outcome=missed&kind=1"


def test_a_search_that_makes_no_sense_is_not_saved() -> None:
    page = save(make_client(make_person(password=None)), "mine", "outcome=lost")
    assert "This search makes no sense" in said(page)[0]
    assert not SavedView.objects.exists()


def test_a_view_of_the_same_name_is_replaced_and_said_to_be() -> None:
    client = make_client(make_person(password=None))
    save(client, "mine")
    assert said(save(client, "mine", "kind=2")) == ["View “mine” replaced: there was one of that name."]
    assert menu(client) == {"mine": "/history/?kind=2"}


def test_people_have_views_of_the_same_name_each() -> None:
    one, other = make_client(make_person(password=None)), make_client(make_person(password=None))
    save(one, "mine")
    save(other, "mine", "kind=2")
    assert (menu(one)["mine"], menu(other)["mine"]) == ("/history/?kind=1", "/history/?kind=2")


@pytest.mark.parametrize("name", ["", "   ", "x" * 61, "a\0b"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    page = save(make_client(make_person(password=None)), name)
    assert len(said(page)) == 1
    assert not SavedView.objects.exists()


# Shared with a team


def test_a_view_is_shared_with_a_team_of_ones_own() -> None:
    team = make_team()
    owner, colleague, stranger = (
        make_person(team, password=None, name="Ada"),
        make_person(team, password=None),
        make_person(make_team(), password=None),
    )
    save(make_client(owner), "ours", team=team.pk)
    assert list(menu(make_client(colleague))) == ["ours"]
    assert f"by Ada , for {team}" in words_of(make_client(colleague).get("/history/"))
    assert menu(make_client(stranger)) == {}


def test_an_agent_shares_no_view_with_another_team() -> None:
    theirs = make_team()
    page = save(make_client(make_person(make_team(), password=None)), "mine", team=theirs.pk)
    assert said(page) == ["It can be shared with teams of your own only."]
    assert not SavedView.objects.exists()


@pytest.mark.parametrize("role", [Role.SUPERVISOR, Role.ADMIN])
def test_supervisors_and_admins_share_with_any_team(role: Role) -> None:
    team = make_team()
    save(make_client(make_person(password=None, role=role)), "for you", team=team.pk)
    assert list(menu(make_client(make_person(team, password=None)))) == ["for you"]


@pytest.mark.parametrize("team", ["0", "x", "9" * 40])
def test_a_team_that_is_none_is_refused(team: str) -> None:
    save(make_client(make_person(password=None, role=Role.ADMIN)), "mine", team=team)
    assert not SavedView.objects.exists()


def test_a_shared_view_gives_nobody_rights() -> None:
    team: Team = make_team()
    make_call(make_account(team=make_team()))
    seen = make_call(make_account(team=team))
    save(make_client(make_person(password=None, role=Role.SUPERVISOR)), "voice", "kind=2", team.pk)
    client = make_client(make_person(team, password=None))
    assert rows(client.get(menu(client)["voice"])) == [seen.pk]


def test_who_leaves_the_team_loses_its_views() -> None:
    team = make_team()
    person = make_person(team, password=None)
    save(make_client(make_person(team, password=None)), "ours", team=team.pk)
    person.teams.clear()
    assert menu(make_client(person)) == {}


# Deleted


def test_ones_own_view_is_deleted() -> None:
    client = make_client(make_person(password=None))
    save(client, "mine")
    page = client.post(f"/history/views/{SavedView.objects.get().pk}/delete/", follow=True)
    assert said(page) == ["View “mine” deleted."]
    assert not SavedView.objects.exists()


def test_views_of_others_can_not_be_deleted_not_even_by_admins_or_in_ones_team() -> None:
    team = make_team()
    save(make_client(make_person(team, password=None)), "ours", team=team.pk)
    for person in (make_person(team, password=None), make_person(password=None, role=Role.ADMIN)):
        assert make_client(person).post(f"/history/views/{SavedView.objects.get().pk}/delete/").status_code == 404
    assert SavedView.objects.exists()


def test_only_ones_own_views_have_a_button_that_deletes() -> None:
    team = make_team()
    owner = make_client(make_person(team, password=None))
    save(owner, "ours", team=team.pk)
    assert "/delete/" in text_of(owner.get("/history/"))
    assert "/delete/" not in text_of(make_client(make_person(team, password=None)).get("/history/"))


# Who and how


@pytest.mark.parametrize("address", ["/history/views/", "/history/views/1/delete/"])
def test_views_are_not_changed_by_reading(address: str) -> None:
    assert make_client(make_person(password=None)).get(address).status_code == 405


@pytest.mark.parametrize("address", ["/history/views/", "/history/views/1/delete/", "/history/1/notes/", "/history/new/"])
def test_nobody_comes_in_without_a_sign_in(address: str) -> None:
    assert make_client().post(address).status_code == 302


def test_no_name_is_taken_for_html() -> None:
    client = make_client(make_person(password=None))
    save(client, HOSTILE[:60])
    page = text_of(client.get("/history/"))
    assert HARMLESS[:20] in page
    assert "<script>" not in page
