"""Where a fault happens: a server with one desk, and what can be asked of it from outside."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from calls.vendor.sandbox import Sandbox
from tests.desk import Desk
from tests.factory import PASSWORD
from tests.server import Server
from tests.waiting import eventually

REJECTED = 5  # calls of each scenario, each by several clicks at once
CLICKS = 3
RING_SECONDS = 1800  # no call of a scenario may end by the clock


@dataclass
class Scene:
    """A server of its own with one desk, and one agent at it."""

    desk: Desk
    agent: str

    @classmethod
    def at(cls, server: Server, vendor: Sandbox) -> Scene:
        desk = Desk(server, vendor, RING_SECONDS)
        [agent] = desk.staffed(1)
        return cls(desk, agent)

    @property
    def server(self) -> Server:
        return self.desk.server

    def stored(self) -> Counter[str]:
        """How many times each call is stored, by the vendor's id."""
        return Counter(str(voipid) for (voipid,) in self.server.sql("SELECT voipid FROM calls_call"))

    def pks(self, voipids: Sequence[str]) -> list[int]:
        """The calls' ids, in the order in which they were stored."""
        wanted = set(voipids)
        return [
            int(str(pk))
            for pk, voipid in self.server.sql("SELECT id, voipid FROM calls_call ORDER BY id")
            if voipid in wanted
        ]

    def all_stored(self, voipids: Sequence[str], within: float) -> None:
        """Until each of these is stored. Raises: AssertionError where that takes longer, or one is stored twice."""
        eventually(lambda: set(voipids) <= self.stored().keys(), within)
        assert max(self.stored().values(), default=1) == 1

    def reject_some(self, pks: Sequence[int]) -> None:
        """Several clicks at once on each of some calls: the vendor is asked once for each."""
        session = self.server.sign_in(self.agent, PASSWORD)
        form = {"csrfmiddlewaretoken": session.cookies["csrftoken"]}
        chosen = pks[:: max(1, len(pks) // REJECTED)][:REJECTED]

        def click(pk: int) -> None:
            own = self.server.session_like(session)
            own.post(f"{self.server.url}/calls/{pk}/reject/", data=form, timeout=20, allow_redirects=False)

        before = len(self.desk.vendor.rejects)
        clicks = [threading.Thread(target=click, args=[pk]) for pk in chosen for _ in range(CLICKS)]
        for thread in clicks:
            thread.start()
        for thread in clicks:
            thread.join()
        asked = Counter(str(reject["voipid"]) for reject in self.desk.vendor.rejects[before:])
        assert asked == Counter(self.voipids(chosen))
        marks = ",".join(map(str, chosen))
        rows = self.server.sql(f"SELECT DISTINCT outcome FROM calls_call WHERE id IN ({marks})")  # noqa: S608
        assert rows == [("rejected",)]

    def voipids(self, pks: Sequence[int]) -> list[str]:
        by_pk = {pk: str(voipid) for pk, voipid in self.server.sql("SELECT id, voipid FROM calls_call")}
        return [by_pk[pk] for pk in pks]

    def spooled(self) -> float:
        """How many callbacks wait in the spool, as /metrics says."""
        return self.metric("ringdesk_spooled_callbacks")

    def metric(self, name: str) -> float:
        return self.server.metric(name)

    def memory(self) -> float:
        """The server's resident memory in MiB."""
        status = Path(f"/proc/{self.server.process.pid}/status").read_text()
        return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024
