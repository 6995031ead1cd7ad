"""The commands: what they set up, and what they say where they can't."""

from __future__ import annotations

import io
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from calls.models import Person, Team, VendorApp

from .factory import AES_KEY, PASSWORD
from .server import ROOT, Server, running_server

pytestmark = pytest.mark.django_db


def vendor_app(*arguments: str) -> str:
    printed = io.StringIO()
    call_command("vendor_app", *arguments, stdout=printed)
    return printed.getvalue().strip()


def agent(*arguments: str, password: str = PASSWORD) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", io.StringIO(password))
        call_command("agent", *arguments, stdout=io.StringIO(), stderr=io.StringIO())


def refused_start(folder: Path, command: str = "serve", **environment: str) -> str:
    """What a start that is refused prints."""
    variables = {"PATH": os.environ["PATH"], "DATA_DIR": str(folder)} | environment
    done = subprocess.run(
        [sys.executable, "manage.py", command],
        cwd=ROOT, env=variables, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    return done.stderr.strip()


def test_a_vendor_app_is_made_and_its_callback_address_printed() -> None:
    address = vendor_app("main", "--app-id", "a", "--app-secret", "s", "--aes-key", AES_KEY)
    app = VendorApp.objects.get(name="main")
    assert address == f"http://127.0.0.1:8000/callbacks/{app.callback_secret}/"
    assert len(app.callback_secret) >= 32


def test_a_vendor_app_keeps_what_is_not_given() -> None:
    first = vendor_app("main", "--app-id", "a", "--app-secret", "s", "--aes-key", AES_KEY)
    assert vendor_app("main", "--ring-seconds", "30") == first
    app = VendorApp.objects.get(name="main")
    assert (app.app_id, app.app_secret, app.ring_seconds) == ("a", "s", 30)


def test_a_fixed_token_takes_the_place_of_the_secret() -> None:
    vendor_app("main", "--app-id", "a", "--app-secret", "s", "--aes-key", AES_KEY)
    vendor_app("main", "--access-token", "fixed")
    assert (VendorApp.objects.get().app_secret, VendorApp.objects.get().access_token) == ("", "fixed")


def test_secrets_given_as_a_dash_are_read_from_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(f"from input\n{AES_KEY}\n"))
    vendor_app("main", "--app-id", "a", "--app-secret", "-", "--aes-key", "-")
    assert (VendorApp.objects.get().app_secret, VendorApp.objects.get().aes_key) == ("from input", AES_KEY)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--aes-key", "short"], "--aes-key"),
        (["--aes-key", AES_KEY, "--base-url", "ftp://x"], "--base-url"),
        (["--aes-key", AES_KEY, "--allowlist", "10.0.0.0/99"], "--allowlist"),
        (["--aes-key", AES_KEY, "--ring-seconds", "0"], "--ring-seconds"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_option(options: list[str], named: str) -> None:
    with pytest.raises(CommandError, match=named):
        vendor_app("main", "--app-id", "a", "--app-secret", "s", *options)
    assert not VendorApp.objects.exists()


def test_an_agent_is_made_in_a_team_that_is_made_too() -> None:
    agent("lilei", "--team", "after-sales", "--name", "李雷")
    person = Person.objects.get(username="lilei")
    assert person.check_password(PASSWORD)
    assert (person.role, str(person), [str(team) for team in person.teams.all()]) == ("agent", "李雷", ["after-sales"])


def test_an_agent_without_a_team_sees_no_calls() -> None:
    agent("lilei")
    sight = Person.objects.get(username="lilei").sight
    assert (sight.all, sight.teams) == (False, frozenset())


@pytest.mark.parametrize("option", ["--supervisor", "--all-accounts"])
def test_some_see_every_call(option: str) -> None:
    agent("lilei", option)
    assert Person.objects.get(username="lilei").sight.all


def test_an_agent_keeps_password_and_teams_where_none_are_given() -> None:
    agent("lilei", "--team", "one")
    agent("lilei", "--team", "two", password="")
    person = Person.objects.get(username="lilei")
    assert person.check_password(PASSWORD)
    assert set(person.teams.all()) == set(Team.objects.all())


def test_a_new_agent_needs_a_password() -> None:
    with pytest.raises(CommandError, match="standard input"):
        agent("lilei", password="")


def test_an_admin_stays_one() -> None:
    Person.objects.create_superuser("boss", "x")
    agent("boss", "--supervisor")
    assert Person.objects.get(username="boss").is_admin


def test_an_installation_can_be_set_up_before_its_first_start(tmp_path: Path) -> None:
    variables = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "manage.py", "agent", "lilei", "--all-accounts"]
    done = subprocess.run(command, cwd=ROOT, env=variables, input=PASSWORD, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "lilei was created.\n")


def test_a_port_in_use_is_said_in_one_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        said = refused_start(tmp_path, BIND=f"127.0.0.1:{taken.getsockname()[1]}")
    assert "is in use" in said
    assert len(said.splitlines()) == 1


def test_a_second_server_on_the_same_data_is_refused_in_one_line(server: Server) -> None:
    said = refused_start(server.folder, BIND="127.0.0.1:1")
    assert f"another server (process {server.process.pid}) uses" in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "2"),
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("BIND", "nonsense"),
        ("BIND", "127.0.0.1:99999"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("LANGUAGE_CODE", "tlh"),
        ("DEBUG", "perhaps"),
        ("PUBLIC_URL", "calls.example.com"),
        ("DATA_DIR", "/dev/null/data"),
    ],
)
def test_a_bad_setting_stops_the_start_with_a_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    said = refused_start(tmp_path, **{name: value})
    assert name in said
    assert said.startswith("Ringdesk can't start:")
    assert "Traceback" not in said


def test_the_demo_refuses_a_folder_with_real_data(tmp_path: Path) -> None:
    (tmp_path / "ringdesk.sqlite3").touch()
    assert "holds real data" in refused_start(tmp_path, "demo")


def test_the_first_start_makes_an_admin_and_later_ones_do_not(tmp_path: Path) -> None:
    with running_server(tmp_path):
        pass
    assert "one-time password" in (tmp_path / "server.log").read_text()
    with running_server(tmp_path) as server:
        assert server.sql("SELECT count(*) FROM calls_person") == [(1,)]
    assert "one-time password" not in (tmp_path / "server.log").read_text()


def test_the_key_that_is_made_is_its_owners_alone(tmp_path: Path) -> None:
    with running_server(tmp_path):
        assert (tmp_path / "secret_key").stat().st_mode & 0o777 == 0o600
