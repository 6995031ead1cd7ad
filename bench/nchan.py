"""nginx with nchan as a reference. Debian's packages are unpacked into a folder, so nothing of the system changes."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .servers import HOME, NotHere, Running, free_port, started, takes_connections

PACKAGES = ("nginx", "libnginx-mod-nchan")
FOLDER = HOME / "nginx"
NGINX = FOLDER / "usr/sbin/nginx"
MODULE = FOLDER / "usr/lib/nginx/modules/ngx_nchan_module.so"
PUBLISH, SUBSCRIBE = "/publish", "/subscribe"

# One worker for each core and their default connections, as Debian sets nginx up, but more connections for each worker.
CONFIGURATION = """
load_module {module};
daemon off;
{user}
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes auto;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    keepalive_requests 1000000;
    keepalive_timeout 600s;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    server {{
        listen 127.0.0.1:{port};
        location = {publish} {{
            nchan_publisher http;
            nchan_channel_id board;
            nchan_message_buffer_length 1000;
        }}
        location = {subscribe} {{
            nchan_subscriber websocket;
            nchan_channel_id board;
            nchan_subscriber_first_message newest;
        }}
    }}
}}
"""


def install() -> None:
    """Raises: NotHere where the packages can't be had."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        _run("apt-get", "download", *PACKAGES)  # where it finds none, `apt-get update` helps, which needs root
        for package in FOLDER.glob("*.deb"):
            _run("dpkg-deb", "--extract", str(package), str(FOLDER))
        _run(str(NGINX), "-v")
    except FileNotFoundError as error:
        raise NotHere(f"this takes a Debian: {error}") from None


@contextmanager
def running(folder: Path) -> Iterator[Running]:
    """Raises: NotHere."""
    if not MODULE.exists():
        raise NotHere("nginx with nchan is not here: run `python -m bench install`")
    port = free_port()
    configuration = folder / "nginx.conf"
    configuration.write_text(
        CONFIGURATION.format(module=MODULE, folder=folder, port=port, publish=PUBLISH, subscribe=SUBSCRIBE, user=_user())
    )
    command = [str(NGINX), "-p", str(folder), "-c", str(configuration), "-e", str(folder / "nginx.log")]
    with started(command, {}, port, folder / "nchan.log", lambda: takes_connections(port)) as server:
        yield server


def _user() -> str:
    """Whom the workers run as where we are root: root, since the folder is ours alone."""
    return "user root;" if os.geteuid() == 0 else ""


def _run(*command: str) -> None:
    done = subprocess.run(command, cwd=FOLDER, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotHere(f"`{' '.join(command)}` failed: {done.stderr.strip()}")
