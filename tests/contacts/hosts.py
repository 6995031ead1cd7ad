"""A stranger's host: a real HTTP server that serves what a test has it serve."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from io import BytesIO

from PIL import Image

Reply = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class Host:
    url: str
    replies: dict[str, Reply] = field(default_factory=dict)  # by path
    asked: list[str] = field(default_factory=list)  # paths, in order
    headers: list[dict[str, str]] = field(default_factory=list)

    def serve(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """Have this served; its address."""

        def reply(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        return self.reply(path, reply)

    def redirect(self, path: str, to: str) -> str:
        return self.serve(path, b"", 302, Location=to)

    def reply(self, path: str, reply: Reply) -> str:
        self.replies[path] = reply
        return self.url + path


@contextmanager
def strangers_host() -> Iterator[Host]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            host.asked.append(self.path)
            host.headers.append(dict(self.headers))
            host.replies[self.path](self)

        def log_message(self, format: str, *args: object) -> None:
            """Nothing to log."""

    class Server(ThreadingHTTPServer):
        daemon_threads = True

        def handle_error(self, request: object, client_address: object) -> None:
            """Whoever asked may have hung up."""

    server = Server(("127.0.0.1", 0), Handler)
    host = Host(f"http://127.0.0.1:{server.server_address[1]}")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()
    try:
        yield host
    finally:
        server.shutdown()
        server.server_close()


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 200), colour: str = "red", **options: object) -> bytes:
    written = BytesIO()
    Image.new("RGB", size, colour).save(written, kind, **options)
    return written.getvalue()
