"""The commands: what they set up, and what they say where they can't."""

from __future__ import annotations

import io
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import requests
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection
from django.utils import timezone

from calls.models import Person, Team, VendorApp
from calls.vendor.sandbox import Sandbox
from dashboard import environment

from .databases import beside
from .desk import Desk
from .factory import AES_KEY, PASSWORD
from .installation import ROOT, installation
from .server import Server, free_port, running_server

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
    variables = installation(folder).environment | environment
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
        (["--aes-key", AES_KEY, "--callback-secret", ""], "--callback-secret"),
        ([], "--aes-key"),
    ],
)
def test_a_bad_value_is_refused_by_the_name_of_its_option(options: list[str], named: str) -> None:
    with pytest.raises(CommandError, match=named):
        vendor_app("main", "--app-id", "a", "--app-secret", "s", *options)
    assert not VendorApp.objects.exists()


def test_a_new_vendor_app_needs_an_app_id() -> None:
    with pytest.raises(CommandError, match="--app-id"):
        vendor_app("main", "--app-secret", "s", "--aes-key", AES_KEY)


def test_a_secret_and_a_fixed_token_exclude_each_other() -> None:
    with pytest.raises(CommandError, match="not allowed with"):
        vendor_app("main", "--app-id", "a", "--app-secret", "s", "--access-token", "t", "--aes-key", AES_KEY)


def test_a_secret_takes_the_place_of_a_fixed_token() -> None:
    vendor_app("main", "--app-id", "a", "--access-token", "fixed", "--aes-key", AES_KEY)
    vendor_app("main", "--app-secret", "s")
    assert (VendorApp.objects.get().app_secret, VendorApp.objects.get().access_token) == ("s", "")


def test_a_dash_without_a_line_of_input_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(""))
    with pytest.raises(CommandError, match="--aes-key is -"):
        vendor_app("main", "--app-id", "a", "--aes-key", "-")


def test_a_changed_vendor_app_fetches_its_token_anew() -> None:
    vendor_app("main", "--app-id", "a", "--app-secret", "s", "--aes-key", AES_KEY)
    VendorApp.objects.update(token="old", token_good_until=timezone.now())
    vendor_app("main", "--app-secret", "another")
    assert (VendorApp.objects.get().token, VendorApp.objects.get().token_good_until) == ("", None)


def test_a_new_callback_secret_is_known_to_a_running_server_at_once_and_the_old_one_is_void_within_2_s(desk: Desk) -> None:
    desk.server.manage("vendor_app", desk.app, "--callback-secret", f"new-{desk.number}")
    changed_at = time.monotonic()
    assert desk.server.push(f"new-{desk.number}", []).status_code == 200
    while desk.server.push(desk.secret, []).status_code != 404:
        assert time.monotonic() < changed_at + 2


def test_an_agent_made_beside_a_running_server_signs_in_there(desk: Desk) -> None:
    session = desk.server.sign_in(desk.person(), PASSWORD)
    assert session.get(desk.server.url, timeout=10, allow_redirects=False).status_code == 200


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


def test_a_password_is_changed() -> None:
    agent("lilei", password="the first one")
    agent("lilei", password="the second one")
    assert Person.objects.get().check_password("the second one")


def test_a_name_with_characters_that_no_username_has_is_refused() -> None:
    with pytest.raises(CommandError, match="username"):
        agent("li lei")
    assert not Person.objects.exists()


def test_an_admin_stays_one() -> None:
    Person.objects.create_superuser("boss", "x")
    agent("boss", "--supervisor")
    assert Person.objects.get(username="boss").is_admin


def test_an_installation_can_be_set_up_before_its_first_start(tmp_path: Path) -> None:
    agent = installation(tmp_path).manage("agent", "lilei", "--all-accounts")
    assert agent.communicate(PASSWORD, timeout=30)[0] == "lilei was created.\n"
    assert agent.returncode == 0


def test_a_server_and_commands_may_start_at_once_on_an_empty_folder(tmp_path: Path) -> None:
    commands = [installation(tmp_path).manage("agent", name) for name in ("lilei", "hanmeimei")]
    with running_server(tmp_path) as server:
        said = {command.communicate(PASSWORD, timeout=30)[0] for command in commands}
        assert said == {"lilei was created.\n", "hanmeimei was created.\n"}
        assert server.sql("SELECT count(*) FROM calls_person") == [(3,)]


@pytest.mark.django_db(transaction=True)
def test_the_database_is_not_locked_while_somebody_types_a_password(monkeypatch: pytest.MonkeyPatch) -> None:
    locked = []

    def typed() -> str:
        locked.append(connection.in_atomic_block)
        return PASSWORD

    typing = io.StringIO()
    monkeypatch.setattr(typing, "readline", typed)
    monkeypatch.setattr(sys, "stdin", typing)
    call_command("agent", "lilei", stdout=io.StringIO())
    assert locked == [False]


def test_the_first_admin_gets_another_name_where_somebody_has_it(tmp_path: Path) -> None:
    agent = installation(tmp_path).manage("agent", "admin", "--supervisor")
    assert agent.communicate(PASSWORD, timeout=30)[0] == "admin was created.\n"
    with running_server(tmp_path) as server:
        roles = server.sql("SELECT username, role FROM calls_person ORDER BY id")
        assert roles == [("admin", "supervisor"), ("admin1", "admin")]
        assert "Sign in as  admin1 " in (tmp_path / "server.log").read_text()


def no_folder(folder: Path) -> str:
    return f"sqlite:///{folder}/nowhere/x.sqlite3"


def no_database(folder: Path) -> str:
    (folder / "x.sqlite3").write_text("something else" * 100)
    return f"sqlite:///{folder}/x.sqlite3"


def no_server(folder: Path) -> str:
    return "postgres://ringdesk@127.0.0.1:1/ringdesk"


def no_database_on_the_server(folder: Path) -> str:
    return beside(os.environ["DATABASE_URL"], "nowhere").url


@pytest.mark.parametrize(
    "url",
    [
        pytest.param(no_folder, marks=pytest.mark.sqlite_only),
        pytest.param(no_database, marks=pytest.mark.sqlite_only),
        pytest.param(no_server, marks=pytest.mark.postgresql_only),
        pytest.param(no_database_on_the_server, marks=pytest.mark.postgresql_only),
    ],
)
def test_a_database_that_cannot_be_used_is_said_in_one_line(tmp_path: Path, url: Callable[[Path], str]) -> None:
    said = refused_start(tmp_path, DATABASE_URL=url(tmp_path))
    assert "The database can't be used: " in said
    assert len(said.splitlines()) == 1


@pytest.mark.parametrize("name", ["", "x" * 61])
def test_a_team_needs_a_name_that_fits(name: str) -> None:
    with pytest.raises(CommandError, match="team name: "):
        agent("lilei", "--team", name)
    assert not Person.objects.exists()


@pytest.mark.parametrize("secret", ["a/b", "a?b", "a b", "%41b", "ü", "../x", ""])
def test_a_callback_secret_fits_into_an_address(secret: str) -> None:
    with pytest.raises(CommandError, match="--callback-secret: "):
        vendor_app("main", "--app-id", "a", "--aes-key", AES_KEY, "--callback-secret", secret)


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


@pytest.mark.engineless  # refused before anything is looked for
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "2"),
        ("WORKERS", "0"),
        ("WORKERS", "many"),
        ("CALLBACK_LOG_DAYS", "0"),
        ("CALLBACK_LOG_ROWS", "99"),
        ("CALLBACK_LOG_MIB", "much"),
        ("BIND", "nonsense"),
        ("BIND", "127.0.0.1:99999"),
        ("TIME_ZONE", "Mars/Olympus"),
        ("LANGUAGE_CODE", "tlh"),
        ("DEBUG", "perhaps"),
        ("PUBLIC_URL", "calls.example.com"),
        ("PUBLIC_URL", "http://["),
        ("DATA_DIR", "/dev/null/data"),
        ("EXPORT_DIR", "/dev/null/exports"),
        ("DATABASE_URL", "ringdesk.sqlite3"),
        ("DATABASE_URL", "postgres://user@host:port/name"),
        ("DATABASE_URL", "mysql://user@host/name"),
        ("DATABASE_URL", "mysql://user@one,two/name"),
        ("DATABASE_URL", "postgres://user@one:port,two/name"),
        ("REDIS_URL", "localhost:6379"),
        ("REDIS_URL", "redis://localhost:port/0"),
        ("DATABASE_URL", "sqlite://:memory:"),
        ("PUBLIC_URL", "https://calls.example.com/path"),
        ("PUBLIC_URL", "https://calls.example.com?x=1"),
        ("PUBLIC_URL", "https://user:password@calls.example.com"),
        ("PUBLIC_URL", "https://calls.example.com:99999"),
        ("PUBLIC_URL", "https://calls example"),
        ("BIND", "127.0.0.1:8000/path"),
        ("CSRF_TRUSTED_ORIGINS", "calls.example.com"),
        ("ALLOWED_HOSTS", "https://calls.example.com"),
    ],
)
def test_a_bad_setting_stops_the_start_with_a_line_that_names_it(tmp_path: Path, name: str, value: str) -> None:
    said = refused_start(tmp_path, **{name: value})
    assert name in said
    assert said.startswith("Ringdesk can't start:")
    assert len(said.splitlines()) == 1


@pytest.mark.engineless
@pytest.mark.parametrize("bind", ["203.0.113.9:8000", "no-such-host.invalid:8000"])
def test_an_address_that_is_not_ours_is_said_in_one_line(tmp_path: Path, bind: str) -> None:
    said = refused_start(tmp_path, BIND=bind)
    assert f"{bind} can't be bound" in said
    assert len(said.splitlines()) == 1


def test_a_variable_left_empty_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTHING", "")
    assert environment.switch("NOTHING", default=True)
    assert environment.whole_number("NOTHING", default=3, at_least=1) == 3
    assert environment.address("NOTHING", "127.0.0.1:8000") == ("127.0.0.1", 8000)


def test_an_ipv6_address_to_bind_is_written_in_brackets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BIND", "[::1]:8000")
    assert environment.address("BIND", "127.0.0.1:8000") == ("::1", 8000)


def test_a_data_folder_that_is_made_is_for_its_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "new"))
    assert environment.data_folder("DATA_DIR", tmp_path).stat().st_mode & 0o777 == 0o700


def test_an_address_of_a_database_may_name_several_hosts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://user:a%2Cb@one:5433,[::1],two/name?sslmode=require")
    config = environment.database("DATABASE_URL", "")
    assert (config["HOST"], config["PORT"]) == ("one,::1,two", "5433,5432,5432")
    assert (config["USER"], config["PASSWORD"], config["NAME"]) == ("user", "a,b", "name")
    assert config["OPTIONS"] == {"target_session_attrs": "read-write", "sslmode": "require"}


def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)  # root may write anywhere
    with pytest.raises(SystemExit, match=f"EXPORT_DIR: {tmp_path} can't be written"):
        environment.data_folder("EXPORT_DIR", tmp_path)


def test_a_refused_address_of_a_database_shows_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "mysql://user:s3cret@host/name")
    with pytest.raises(SystemExit) as refused:
        environment.database("DATABASE_URL", "")
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("value", ["http://[", "ftp://calls.example.com", "https://", "//calls.example.com"])
def test_what_is_no_web_address_is_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PUBLIC_URL", value)
    with pytest.raises(SystemExit, match="PUBLIC_URL is"):
        environment.url("PUBLIC_URL", "http://127.0.0.1:8000")


def sandbox_command(*arguments: str) -> str:
    printed = io.StringIO()
    call_command("sandbox", "--bind", "127.0.0.1:0", *arguments, stdout=printed)
    return printed.getvalue()


def test_the_sandbox_says_where_it_is_and_ends_in_time() -> None:
    assert re.fullmatch(
        r"The sandbox vendor is at http://127\.0\.0\.1:\d+ \(app_id a\)\.\n",
        sandbox_command("--app-id", "a", "--seconds", "0.05"),
    )


def test_the_sandbox_answers_and_misbehaves_as_told(tmp_path: Path) -> None:
    port = free_port()
    command = [sys.executable, "manage.py", "sandbox", "--bind", f"127.0.0.1:{port}", "--reject", "limit"]
    variables = {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(command, cwd=ROOT, env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        try:
            assert "The sandbox vendor is at" in process.stdout.readline()
            answers = [
                requests.post(f"http://127.0.0.1:{port}/wechat/handleVoipCall", json={}, timeout=10) for _ in range(2)
            ]
        finally:
            process.terminate()
    assert [answer.json()["errcode"] for answer in answers] == [407, 407]


def test_the_sandbox_makes_calls_that_a_running_server_takes(desk: Desk) -> None:
    address = f"{desk.server.url}/callbacks/{desk.secret}/"
    sandbox_command("--callback", address, "--aes-key", AES_KEY, "--seconds", "0.2", "--calls-per-minute", "3000")
    [(calls,)] = desk.server.sql(
        "SELECT count(*) FROM calls_call c JOIN calls_account a ON a.id = c.account_id"
        " JOIN calls_vendorapp v ON v.id = a.app_id WHERE v.name = ?",
        desk.app,
    )
    assert isinstance(calls, int)
    assert calls > 0


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--bind", "nonsense"], "--bind takes host:port"),
        (["--bind", "127.0.0.1:99999"], "--bind takes host:port"),
        (["--bind", "no-such-host.invalid:80"], "no-such-host.invalid:80 can't be used: "),
        (["--callback", "http://127.0.0.1:1/"], "--callback needs --aes-key"),
        (
            ["--callback", "http://127.0.0.1:1/", "--aes-key", "short"],
            "--aes-key: an encoding_aes_key has 43 characters, or 32.",
        ),
        (["--reject", "nonsense"], "invalid choice"),
    ],
)
def test_the_sandbox_refuses_what_it_cannot_use(options: list[str], said: str) -> None:
    with pytest.raises(CommandError, match=re.escape(said)):
        sandbox_command(*options)


def test_the_sandbox_refuses_a_port_in_use(sandbox: Sandbox) -> None:
    with pytest.raises(CommandError, match="Address already in use"):
        sandbox_command("--bind", f"127.0.0.1:{sandbox.port}")


@pytest.mark.sqlite_only
def test_the_demo_rings_and_ctrl_c_ends_all_of_it(tmp_path: Path) -> None:
    port = free_port()
    demo = installation(tmp_path).manage("demo", BIND=f"127.0.0.1:{port}")
    assert demo.stdout
    try:
        printed = [demo.stdout.readline() for _ in range(6)]
        assert printed[0] == f"The demo is at http://127.0.0.1:{port}. Sign in as:\n"
        assert [line.split()[0] for line in printed[1:5]] == ["lilei", "hanmeimei", "zhaomin", "admin"]
        session = Server(tmp_path, port, {}).sign_in("lilei", "ringdesk-demo")
        give_up_at = time.monotonic() + 20
        while 'data-status="ringing"' not in session.get(f"http://127.0.0.1:{port}/", timeout=10).text:
            assert time.monotonic() < give_up_at, "no call rang"
            time.sleep(0.2)
    finally:
        demo.send_signal(signal.SIGINT)
        rest, _ = demo.communicate(timeout=20)
    assert (demo.returncode, "Traceback" in rest) == (0, False)
    with socket.socket() as again:
        again.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        again.bind(("127.0.0.1", port))


@pytest.mark.sqlite_only
def test_the_demo_begins_with_a_history_that_is_made_up_once(tmp_path: Path) -> None:
    folder = Server(tmp_path, port := free_port(), {})
    found = []
    for _ in range(2):
        demo = installation(tmp_path).manage("demo", BIND=f"127.0.0.1:{port}")
        assert demo.stdout
        try:
            assert demo.stdout.readline().startswith("The demo is at")
            found += folder.sql("SELECT COUNT(*), MAX(id) FROM calls_call WHERE received_at < datetime('now', '-1 hour')")
        finally:
            demo.send_signal(signal.SIGINT)
            demo.communicate(timeout=20)
    assert found[0] == found[1] == (4000, 4000)


@pytest.mark.sqlite_only
def test_the_demo_refuses_a_folder_with_real_data(tmp_path: Path) -> None:
    (tmp_path / "ringdesk.sqlite3").touch()
    assert "holds real data" in refused_start(tmp_path, "demo")


@pytest.mark.sqlite_only
@pytest.mark.parametrize("variable", [("DATABASE_URL", "sqlite:////tmp/real.sqlite3"), ("REDIS_URL", "redis://127.0.0.1:1")])
def test_the_demo_refuses_a_database_or_redis_of_its_own_choosing(tmp_path: Path, variable: tuple[str, str]) -> None:
    said = refused_start(tmp_path, "demo", **dict([variable]))
    assert said == "CommandError: The demo keeps its data to itself; unset DATABASE_URL and REDIS_URL."


@pytest.mark.engineless
@pytest.mark.parametrize("target", ["demo", "run", "test"])
def test_a_python_that_is_too_old_is_said_in_one_line(tmp_path: Path, target: str) -> None:
    old = tmp_path / "python"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = subprocess.run(
        ["make", "--no-print-directory", target, f"PYTHON={old}", f"VENV={tmp_path}/venv"],
        cwd=ROOT, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode != 0
    assert done.stdout == f"Ringdesk needs Python 3.11 or later as {old}; set PYTHON=... to one.\n"


def test_a_spool_under_another_key_stops_the_start_and_is_left_alone(tmp_path: Path, sandbox: Sandbox) -> None:
    with running_server(tmp_path, SECRET_KEY="the first key" * 4) as server:
        desk = Desk(server, sandbox)
        with server.database.locked():
            desk.call()
            server.kill()
    spool = (tmp_path / "spool.0").read_bytes()
    said = refused_start(tmp_path, BIND=f"127.0.0.1:{free_port()}", SECRET_KEY="another key" * 4)
    assert "Ringdesk can't start: callbacks wait in" in said
    assert "encrypted under another SECRET_KEY" in said
    assert (tmp_path / "spool.0").read_bytes() == spool


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
