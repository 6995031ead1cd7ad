"""A desk to sit at: a vendor app, a team, people and an account of a test's own, on the real server."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count

from calls.vendor.sandbox import Sandbox, call_notice

from .factory import AES_KEY, PASSWORD
from .server import Server
from .waiting import eventually

_numbers = count(1)


@dataclass
class Desk:
    """One team with its own vendor app and account, so that tests on the same server don't see each other's calls."""

    server: Server
    vendor: Sandbox
    ring_seconds: int = 60
    number: int = field(default_factory=lambda: next(_numbers))

    def __post_init__(self) -> None:
        self.team = f"desk {self.number}"
        self.secret = f"desk-secret-{self.number}"
        self.wxid = str(1688850000000000 + self.number)
        self.app = f"app {self.number}"
        self.people: list[str] = []
        self.server.manage(
            "vendor_app", self.app, "--app-id", self.vendor.app_id, "--app-secret", self.vendor.app_secret,
            "--aes-key", AES_KEY, "--base-url", self.vendor.url, "--callback-secret", self.secret,
            "--ring-seconds", str(self.ring_seconds),
        )  # fmt: skip

    def person(self, *options: str) -> str:
        """Somebody of the desk's team; their username."""
        username = f"desk{self.number}-person{len(self.people) + 1}"
        self.people.append(username)
        self.server.manage("agent", username, "--team", self.team, *options, said=PASSWORD)
        return username

    def staffed(self, agents: int) -> list[str]:
        """So many agents, and the account in their team; as it is after an admin has set things up."""
        usernames = [self.person() for _ in range(agents)]
        self.server.sql("INSERT INTO calls_team (name) VALUES (?) ON CONFLICT DO NOTHING", self.team)
        [(app,)] = self.server.sql("SELECT id FROM calls_vendorapp WHERE name = ?", self.app)
        [(team,)] = self.server.sql("SELECT id FROM calls_team WHERE name = ?", self.team)
        self.server.sql(
            "INSERT INTO calls_account (app_id, wxid, name, team_id, created_at) VALUES (?, ?, ?, ?, '2026-01-01 00:00:00')",
            app, self.wxid, f"小林{self.number}", team,
        )  # fmt: skip
        return usernames

    def leave_team(self, username: str) -> None:
        """As when an admin takes them out of it."""
        [(person,)] = self.server.sql("SELECT id FROM calls_person WHERE username = ?", username)
        self.server.sql("DELETE FROM calls_person_teams WHERE person_id = ?", person)

    def call(self, nickname: str = "王秀英", kind: int = 2, chat_wxid: str = "7881300000000001") -> str:
        """A customer calls; the call's id at the vendor."""
        voipid = str(10**9 + next(_numbers))
        answer = self.server.push(self.secret, [call_notice(self.wxid, chat_wxid, int(voipid), kind, nickname=nickname)])
        assert answer.json() == {"errcode": 0}
        return voipid

    def calls_at_once(self, number: int) -> None:
        """So many customers call at the same moment, in one callback."""
        notices = [
            call_notice(self.wxid, f"7881310000{place:06}", 10**9 + next(_numbers), nickname=f"客户{place}")
            for place in range(number)
        ]
        assert self.server.push(self.secret, notices).json() == {"errcode": 0}

    def call_pk(self, voipid: str) -> int:
        """Once it is in the database: where that is slow, the call was answered from the spool."""
        return self.call_pks([voipid])[voipid]

    def call_pks(self, voipids: Collection[str]) -> dict[str, int]:
        """The same of many calls, each stored once."""
        found: list[tuple[str, int]] = []

        def all_are_there() -> bool:
            rows = self.server.sql("SELECT voipid, id FROM calls_call")
            found[:] = [(str(voipid), int(str(pk))) for voipid, pk in rows if voipid in voipids]
            return len(found) >= len(voipids)

        eventually(all_are_there)
        assert len(found) == len(voipids)
        return dict(found)

    def wait_for_ring_seconds(self, seconds: int) -> None:
        """Until the running server has taken up a changed ring window, which it does within 2 s."""
        give_up_at = time.monotonic() + 2
        while time.monotonic() < give_up_at:
            # To an account of nobody's: until then calls have the old ring window, and would ring on the desk's pages.
            voipid = 10**9 + next(_numbers)
            self.server.push(self.secret, [call_notice(f"{self.wxid}0", "7881300000000002", voipid)])
            pk = self.call_pk(str(voipid))
            [(begin, end)] = self.server.sql("SELECT received_at, rings_until FROM calls_call WHERE id = ?", pk)
            if datetime.fromisoformat(str(end)) - datetime.fromisoformat(str(begin)) == timedelta(seconds=seconds):
                return
            time.sleep(0.05)
        raise AssertionError("the server did not take up the changed ring window")
