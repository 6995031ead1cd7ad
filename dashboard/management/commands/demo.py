import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from calls import follow_ups
from calls.made_up import history
from calls.management import database
from calls.models import Account, Call, FollowUp, Person, Team, VendorApp
from calls.vendor.sandbox import ACCOUNTS, Caller, Sandbox
from dashboard.server import CantStart, listening_socket, serve, sole_server

PASSWORD = "ringdesk-demo"
AES_KEY = "ringdeskDemoKeyOfThirtyTwoChars!"
PEOPLE = [
    ("lilei", "李雷", Person.Role.AGENT),
    ("hanmeimei", "韩梅梅", Person.Role.AGENT),
    ("zhaomin", "赵敏", Person.Role.SUPERVISOR),
    ("admin", "管理员", Person.Role.ADMIN),
]
TEAM = "售后一组"
TO_FOLLOW_UP = 4  # customers
HISTORY = 4000, 60  # calls, days
LOOPBACK = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "::1": "[::1]"}  # noqa: S104
ACCOUNT_NAMES = [
    "小林",
    "苏苏",
]  # the third one stays without a name and a team, as accounts are when they are first called


class Command(BaseCommand):
    help = "Start Ringdesk with a sandbox vendor and made-up calls, on a data folder of their own (see `make demo`)."
    requires_system_checks: list[str] = []

    def handle(self, **options: Any) -> None:
        if not settings.DEMO and any(settings.DATA_DIR.glob("*.sqlite3")):
            raise CommandError(f"{settings.DATA_DIR} holds real data; the demo needs a folder of its own (DATA_DIR).")
        if settings.DATABASES["default"]["NAME"] != settings.SQLITE_FILE or settings.REDIS_URL:
            raise CommandError("The demo keeps its data to itself; unset DATABASE_URL and REDIS_URL.")
        settings.DEMO_MARK.touch()
        settings.DEMO = True
        settings.AVATARS_FROM_INSIDE = True  # the sandbox's
        try:
            with sole_server(settings.DATA_DIR):
                listener = listening_socket(settings.BIND_HOST, settings.BIND_PORT)
                database.bring_up_to_date()
                with Sandbox() as vendor:
                    app = self._create_data(vendor)
                    self._make_history(app)
                    host, port = listener.getsockname()[:2]
                    address = f"http://{LOOPBACK.get(host, host)}:{port}/callbacks/{app.callback_secret}/"
                    caller = Caller(address, AES_KEY, calls_per_minute=10)
                    calling = threading.Thread(target=caller.run, daemon=True)
                    try:
                        serve(listener, lambda: self._announce(calling))
                    finally:
                        caller.stopping.set()
        except CantStart as error:
            raise CommandError(f"The demo can't start: {error}") from None
        except KeyboardInterrupt:
            pass

    def _create_data(self, vendor: Sandbox) -> VendorApp:
        team, _ = Team.objects.get_or_create(name=TEAM)
        for username, name, role in PEOPLE:
            if not Person.objects.filter(username=username).exists():
                person = Person.objects.create_user(username, PASSWORD, name=name, role=role)
                person.teams.add(team)
        app, _ = VendorApp.objects.update_or_create(
            name="sandbox",
            defaults={
                "base_url": vendor.url,
                "app_id": vendor.app_id,
                "app_secret": vendor.app_secret,
                "aes_key": AES_KEY,
                "token": "",  # of a sandbox that is gone
                "token_good_until": None,
            },
        )
        for wxid, name in zip(ACCOUNTS, ACCOUNT_NAMES, strict=False):
            Account.objects.get_or_create(
                app=app, wxid=wxid, defaults={"name": name, "team": team, "created_at": timezone.now()}
            )
        return app

    def _make_history(self, app: VendorApp) -> None:
        """Once, so that there is something to look up and to report from the first minute on."""
        if not Call.objects.exists():
            history.make(history.Asked(app, *HISTORY, until=timezone.now(), seed=1))
            self._put_on_the_list()

    def _put_on_the_list(self) -> None:
        """A few customers to follow up, of whom one is being called back."""
        agent, supervisor = (Person.objects.get(username=name) for name in ("hanmeimei", "zhaomin"))
        missed = Call.objects.filter(account__team__name=TEAM, outcome=Call.Outcome.MISSED).select_related("account")
        for call in missed.order_by("-received_at")[:TO_FOLLOW_UP]:
            follow_ups.add(call, agent)
        follow_ups.take(FollowUp.objects.open().earliest("added_at").pk, supervisor)

    def _announce(self, calling: threading.Thread) -> None:
        calling.start()
        lines = [f"The demo is at {settings.PUBLIC_URL}. Sign in as:"]
        lines += [f"  {username:<10} / {PASSWORD}  ({role.value})" for username, _, role in PEOPLE]
        lines += [f"Calls are made up; data is in {settings.DATA_DIR}. Ctrl-C stops everything."]
        self.stdout.write("\n".join(lines))
        self.stdout.flush()
