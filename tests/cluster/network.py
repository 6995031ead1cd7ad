"""Where the hosts of a cluster are: each in a network namespace, behind a cable that can be pulled; or where the system
allows no namespaces, on ports of loopback, behind relays that can be held up.
"""

from __future__ import annotations

import os
import selectors
import socket
import subprocess
import threading
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import cached_property

from tests.server import free_port


class Place:
    """Where one host is."""

    bind: str  # what the host listens on
    reached_at: str  # where others reach that
    gateway: str  # where it reaches the machine that the engines and the vendor are on

    def command(self, *words: str) -> list[str]:
        """A command, as it is run there."""
        raise NotImplementedError

    def engine_at(self, port: int) -> str:
        """The address and port under which an engine that listens on this port is reached from there."""
        raise NotImplementedError

    def cut(self) -> None:
        """From now on nothing reaches it, and it reaches nobody; nobody is told."""
        raise NotImplementedError

    def mend(self) -> None:
        raise NotImplementedError


# Namespaces


class Namespace(Place):
    def __init__(self, name: str, cable: str, address: str, gateway: str) -> None:
        self._name = name
        self._cable = cable
        self.gateway = gateway
        self.bind = self.reached_at = f"{address}:8000"

    def command(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self._name, *words]

    def engine_at(self, port: int) -> str:
        return f"{self.gateway}:{port}"

    def cut(self) -> None:
        _ip("link", "set", self._cable, "down")

    def mend(self) -> None:
        _ip("link", "set", self._cable, "up")


@contextmanager
def namespaces(number: int) -> Iterator[list[Namespace]]:
    """So many, each with a cable to one switch. Raises: OSError, subprocess.CalledProcessError where there can be none."""
    tag, net = f"rd{os.getpid()}", f"10.91.{os.getpid() % 250}"
    switch = f"{tag}s"
    with ExitStack() as stack:
        _ip("link", "add", switch, "type", "bridge")
        stack.callback(_ip, "link", "del", switch)
        _ip("addr", "add", f"{net}.1/24", "dev", switch)
        _ip("link", "set", switch, "up")
        places = []
        for host in range(number):
            name, cable, address = f"{tag}-{host}", f"{tag}c{host}", f"{net}.{11 + host}"
            _ip("netns", "add", name)
            stack.callback(_ip, "netns", "del", name)
            _ip("link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", cable, "master", switch, "up")
            _ip("-n", name, "addr", "add", f"{address}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                _ip("-n", name, "link", "set", device, "up")
            places.append(Namespace(name, cable, address, f"{net}.1"))
        yield places


def _ip(*words: str) -> None:
    subprocess.run(["ip", *words], check=True, capture_output=True)


# Loopback


@dataclass
class Relay:
    """Passes on what comes to its port, until it is held up: then it takes connections and lets nothing through."""

    target: int
    port: int = field(default_factory=free_port)

    def __post_init__(self) -> None:
        self._passes = threading.Event()
        self._passes.set()
        self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._take, daemon=True).start()

    def hold_up(self) -> None:
        self._passes.clear()

    def let_through(self) -> None:
        self._passes.set()

    def close(self) -> None:
        self._listener.close()
        self._passes.set()

    def _take(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:  # closed
                return
            threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        self._passes.wait()
        try:
            server = socket.create_connection(("127.0.0.1", self.target))
        except OSError:
            client.close()
            return
        with client, server, selectors.DefaultSelector() as both:
            both.register(client, selectors.EVENT_READ, server)
            both.register(server, selectors.EVENT_READ, client)
            while self._pass_on(both):
                pass

    def _pass_on(self, both: selectors.BaseSelector) -> bool:
        for ready, _ in both.select():
            self._passes.wait()
            try:
                piece = ready.fileobj.recv(65536)  # type: ignore[union-attr]
                ready.data.sendall(piece)
            except OSError:
                return False
            if not piece:
                return False
        return True


class Port(Place):
    gateway = "127.0.0.1"

    def __init__(self) -> None:
        self._own = free_port()
        self.bind = f"127.0.0.1:{self._own}"
        self._engines: dict[int, Relay] = {}

    @cached_property
    def _door(self) -> Relay:
        return Relay(self._own)

    @property
    def reached_at(self) -> str:  # type: ignore[override]
        return f"127.0.0.1:{self._door.port}"

    def command(self, *words: str) -> list[str]:
        return list(words)

    def engine_at(self, port: int) -> str:
        relay = self._engines.get(port) or self._engines.setdefault(port, Relay(port))
        return f"127.0.0.1:{relay.port}"

    def cut(self) -> None:
        for relay in self._relays():
            relay.hold_up()

    def mend(self) -> None:
        for relay in self._relays():
            relay.let_through()

    def close(self) -> None:
        for relay in self._relays():
            relay.close()

    def _relays(self) -> list[Relay]:
        return [self._door, *self._engines.values()]


@contextmanager
def ports(number: int) -> Iterator[list[Port]]:
    places = [Port() for _ in range(number)]
    try:
        yield places
    finally:
        for place in places:
            place.close()


@contextmanager
def network(number: int) -> Iterator[Sequence[Place]]:
    """Places for so many hosts, as real as the system allows."""
    with ExitStack() as stack:
        try:
            places: Sequence[Place] = stack.enter_context(namespaces(number))
        except (OSError, subprocess.CalledProcessError):
            places = stack.enter_context(ports(number))
        yield places
