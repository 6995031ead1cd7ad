"""What the environment says: read once, checked, and refused with one clear line where it can't be used."""

import contextlib
import os
import re
import secrets
import tempfile
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import dj_database_url
from environs import Env, EnvError
from environs import validate as check

env = Env()

HOST = re.compile(r"\*|(\*?\.)?[\w-]+(\.[\w-]+)*\.?|\[[0-9A-Fa-f:.]+\]")
SQLITE, POSTGRESQL = "django.db.backends.sqlite3", "django.db.backends.postgresql"
SEVERAL_HOSTS = re.compile(r"(?P<before>[^/]*//([^/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)(?P<after>.*)", re.DOTALL)


def refuse(problem: str) -> NoReturn:
    """End the start, saying in one line what is wrong and what to do.

    Raises: SystemExit, always.
    """
    raise SystemExit(f"Ringdesk can't start: {problem}")


def text(name: str, default: str = "") -> str:
    """The variable, or the default where it is unset or blank."""
    return env.str(name, "").strip() or default


def choice(name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = text(name, default)
    if value not in allowed:
        refuse(f"{name} is {value!r}. Use one of: {', '.join(allowed)}.")
    return value


def switch(name: str, default: bool) -> bool:
    if not text(name):
        return default
    try:
        return bool(env.bool(name))
    except EnvError as error:
        refuse(f"{error} Set {name} to true or false.")


def whole_number(name: str, default: int, at_least: int, at_most: int | None = None) -> int:
    if not text(name):
        return default
    try:
        return int(env.int(name, validate=check.Range(min=at_least, max=at_most)))
    except EnvError as error:
        refuse(f"{error} Set {name} to a whole number from {at_least} {'on' if at_most is None else f'to {at_most}'}.")


def days(name: str, default: int) -> int:
    """For how many days something is kept; 0 is for the caller to give a meaning."""
    return whole_number(name, default, at_least=0, at_most=36_500)


def words(name: str) -> list[str]:
    """A comma-separated list; blanks around and between are dropped."""
    return [word.strip() for word in text(name).split(",") if word.strip()]


def zone(name: str, default: str) -> str:
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (KeyError, ValueError, OSError):
        refuse(f"{name} is {value!r}, which is no time zone. Use a name such as Asia/Shanghai.")
    return value


def address(name: str, default: str) -> tuple[str, int]:
    """`host:port` as (host, port); an IPv6 host is written in brackets."""
    value = text(name, default)
    host, port = None, None
    with contextlib.suppress(ValueError):
        parts = urlsplit(f"//{value}")
        if parts.netloc == value and "@" not in value:
            host, port = parts.hostname, parts.port
    if not host or port is None:
        refuse(f"{name} is {value!r}. Use host:port, such as 127.0.0.1:8000.")
    return host, port


def url(name: str, default: str) -> str:
    """An http or https address without a path."""
    value = text(name, default).rstrip("/")
    if not _is_origin(value):
        refuse(f"{name} is {value!r}. Use an address without a path, such as https://calls.example.com.")
    return value


def urls(name: str) -> list[str]:
    """A comma-separated list of http or https addresses without a path; `*.` may stand for any subdomain."""
    given = [word.rstrip("/") for word in words(name)]
    for value in given:
        if not _is_origin(value):
            refuse(f"{name} holds {value!r}. Use addresses without a path, such as https://calls.example.com.")
    return given


def hosts(name: str) -> list[str]:
    """A comma-separated list of host names, without scheme or port."""
    given = words(name)
    for value in given:
        if not HOST.fullmatch(value):
            refuse(f"{name} holds {value!r}. Use host names without scheme, port or path, such as calls.example.com.")
    return given


def _is_origin(value: str) -> bool:
    try:
        parts = urlsplit(value)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return False
    host = value.removeprefix(f"{parts.scheme}://").removesuffix(port)
    return parts.scheme in {"http", "https"} and bool(HOST.fullmatch(host)) and host != "*"


def database(name: str, default: str) -> dj_database_url.DBConfig:
    """The address of a database on SQLite or PostgreSQL, as Django's settings want it."""
    with contextlib.suppress(ValueError):
        config = _parsed(text(name, default))
        # A database in memory would be another one for each thread.
        if config["ENGINE"] in {SQLITE, POSTGRESQL} and config["NAME"] != ":memory:":
            return config
    # The value isn't shown, since it may hold a password.
    refuse(f"{name} is no address that can be used. Use one such as postgres://user:password@host:5432/ringdesk.")


def _parsed(address: str) -> dj_database_url.DBConfig:
    """An address may name several hosts, as PostgreSQL's own may: whichever of them is the primary is connected to.

    Source: PostgreSQL's documentation, "libpq", "Connection URIs". Raises: ValueError.
    """
    several = SEVERAL_HOSTS.fullmatch(address)
    if several is None:
        return dj_database_url.parse(address)
    config = dj_database_url.parse(f"{several['before']}{several['after']}")
    if config["ENGINE"] != POSTGRESQL:
        raise ValueError
    hosts = [urlsplit(f"//{host}") for host in several["hosts"].split(",")]
    config["HOST"] = ",".join(host.hostname or "" for host in hosts)
    config["PORT"] = ",".join(str(host.port or 5432) for host in hosts)
    config["OPTIONS"] = {"target_session_attrs": "read-write"} | config.get("OPTIONS", {})
    return config


def redis(name: str) -> str:
    """The address of a Redis server, or nothing."""
    value = text(name)
    try:
        if value:
            redis_database(value)
    except ValueError:
        refuse(f"{name} is no address that can be used. Use one such as redis://host:6379/0.")
    return value


def redis_database(url: str) -> int:
    """The number of the database in the address of a Redis server. Raises: ValueError where it is no such address."""
    from redis.connection import parse_url  # here, since most starts need none of it

    return int(parse_url(url).get("db", 0))  # type: ignore[no-untyped-call]


def data_folder(name: str, default: Path) -> Path:
    """A folder for what Ringdesk keeps; made where it is missing, for its owner alone."""
    folder = Path(text(name, str(default))).expanduser().resolve()
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        refuse(f"{name}: {folder} can't be made ({error.strerror}). Set {name} to a folder that can be written.")
    if not os.access(folder, os.W_OK | os.X_OK):
        refuse(f"{name}: {folder} can't be written. Set {name} to a folder that can.")
    return folder


def secret_key(name: str, folder: Path) -> str:
    """The variable, or else a key made on first use and kept in the data folder, readable by its owner alone."""
    if given := text(name):
        return given
    file = folder / "secret_key"
    try:
        if not file.exists():
            # Written whole before it gets its name, so that several starts at once agree on one key.
            with tempfile.NamedTemporaryFile("w", dir=folder, prefix="secret_key.") as made:
                made.write(secrets.token_urlsafe(50))
                made.flush()
                with contextlib.suppress(FileExistsError):
                    os.link(made.name, file)
    except OSError as error:
        refuse(f"{file} can't be written ({error.strerror}). Set {name}, or make the folder writable.")
    key = file.read_text().strip()
    if not key:
        refuse(f"{file} is empty. Delete it to have a new key made (everyone has to sign in again).")
    return key
