"""nginx in front of a cluster, configured as docs/cluster.md says.

`python -m tests.cluster.nginx` fetches it where it is missing: Debian's package, unpacked into a folder, so that nothing
of the system changes.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from tests.waiting import eventually

FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ringdesk-tests" / "nginx"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "cluster.md"

MAIN = """
daemon off;
{user}
worker_processes 1;
pid {folder}/nginx.pid;
events {{ worker_connections 2048; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    {documented}
    {direct}
}}
"""

# A way to each host by itself, whatever becomes of the others.
DIRECT = """
    server {{
        listen 127.0.0.1:{port};
        location / {{
            proxy_pass http://{address};
            proxy_http_version 1.1;
            proxy_connect_timeout 1s;
            proxy_set_header Host $host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
        }}
    }}
"""


def binary() -> str | None:
    """The system's, or the one that was fetched."""
    fetched = FOLDER / "usr/sbin/nginx"
    return shutil.which("nginx", path=os.environ["PATH"] + ":/usr/sbin") or (str(fetched) if fetched.exists() else None)


def fetch() -> bool:
    """Whether that worked."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        subprocess.run(["apt-get", "update"], stdout=subprocess.DEVNULL, check=False)
    download = ["apt-get", "download", "-o", "APT::Sandbox::User=root", "nginx"]
    if subprocess.run(download, cwd=FOLDER, stdout=subprocess.DEVNULL, check=False).returncode != 0:
        return False
    return all(
        subprocess.run(["dpkg-deb", "--extract", str(package), str(FOLDER)], check=False).returncode == 0
        for package in FOLDER.glob("nginx_*.deb")
    )


@contextmanager
def running(folder: Path, front: int, hosts: Sequence[str], direct: Sequence[int]) -> Iterator[None]:
    """On loopback: as documented on the port `front`, and to each host by itself on a port of its own."""
    program = binary()
    assert program, "nginx is missing: python -m tests.cluster.nginx fetches it"
    configuration = folder / "nginx.conf"
    configuration.write_text(
        MAIN.format(
            folder=folder,
            user="user root;" if os.geteuid() == 0 else "",  # the folder is ours alone
            documented=documented(front, hosts),
            direct="".join(DIRECT.format(port=port, address=host) for port, host in zip(direct, hosts, strict=True)),
        )
    )
    command = [program, "-p", str(folder), "-c", str(configuration), "-e", str(folder / "nginx.log")]
    process = subprocess.Popen(command, start_new_session=True)
    try:
        eventually((folder / "nginx.pid").exists)
        yield
    finally:
        process.terminate()
        process.wait()


def documented(port: int, hosts: Sequence[str]) -> str:
    """The configuration in the documentation, with our addresses in the place of its, and without its certificate."""
    [block] = re.findall(r"```nginx\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    text = str(block)
    for number, host in enumerate(hosts, start=11):
        text = text.replace(f"10.0.0.{number}:8000", host)
    text = re.sub(r".*\b10\.0\.0\..*\n", "", text)  # where we have fewer
    text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
    return re.sub(r".*\b(ssl_certificate|ssl_certificate_key|server_name)\b.*\n", "", text)


def main() -> None:
    if binary():
        return
    print("Fetching nginx for the tests of clusters...", flush=True)
    if not fetch() or not binary():
        sys.exit("The tests of clusters need nginx, which could not be fetched. On Debian: apt-get install nginx")


if __name__ == "__main__":
    main()
