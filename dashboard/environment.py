"""What the environment says: read once, checked, and refused with one clear line where it can't be used."""

import os
import secrets
from pathlib import Path
from typing import NoReturn
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from environs import Env, EnvError
from environs import validate as check

env = Env()


def refuse(problem: str) -> NoReturn:
    """End the start, saying in one line what is wrong and what to do.

    Raises: SystemExit, always.
    """
    raise SystemExit(f"Ringdesk can't start: {problem}")


def text(name: str, default: str = "") -> str:
    """The variable, or the default where it is unset or empty."""
    return env.str(name, "") or default


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


def whole_number(name: str, default: int, at_least: int) -> int:
    if not text(name):
        return default
    try:
        return int(env.int(name, validate=check.Range(min=at_least)))
    except EnvError as error:
        refuse(f"{error} Set {name} to a whole number from {at_least} on.")


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
    try:
        parts = urlsplit(f"//{value}")
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if not host or port is None:
        refuse(f"{name} is {value!r}. Use host:port, such as 127.0.0.1:8000.")
    return host, port


def url(name: str, default: str) -> str:
    """An http or https address without a trailing slash."""
    value = text(name, default).rstrip("/")
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        refuse(f"{name} is {value!r}. Use an address such as https://calls.example.com.")
    return value


def data_folder(name: str, default: Path) -> Path:
    """The folder for everything that Ringdesk keeps; made where it is missing."""
    folder = Path(text(name, str(default))).expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        refuse(f"{name}: {folder} can't be made ({error.strerror}). Set {name} to a folder that can be written.")
    return folder


def secret_key(name: str, folder: Path) -> str:
    """The variable, or else a key made on first use and kept in the data folder, readable by its owner alone."""
    if given := text(name):
        return given
    file = folder / "secret_key"
    try:
        with open(os.open(file, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600), "w") as new:
            new.write(secrets.token_urlsafe(50))
    except FileExistsError:
        pass
    except OSError as error:
        refuse(f"{file} can't be written ({error.strerror}). Set {name}, or make the folder writable.")
    key = file.read_text().strip()
    if not key:
        refuse(f"{file} is empty. Delete it to have a new key made (everyone has to sign in again).")
    return key
